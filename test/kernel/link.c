/*
 * A bad link between two network namespaces.
 *
 *   link NETNS_A NETNS_B [key=value …]
 *
 * Makes one TUN device, called "wire0", in each of the two namespaces (which must exist) and carries packets between
 * them. Prints "ready" once both are there; the caller gives them addresses. On SIGTERM or SIGINT it prints its counters
 * as one line of JSON and ends, and the devices with it. Linux, CAP_NET_ADMIN.
 *
 * Both directions alike:
 *   rate=MBIT       serialisation at this many Mbit/s; 0 is no limit (0)
 *   queue=BYTES     what may wait for serialisation, then the tail is dropped (250000)
 *   delay=MS        propagation one way (0)
 *   jitter=MS       added to the propagation, uniform in [0, MS], without reordering (0)
 *   loss=PERCENT    packets that vanish (0)
 *   late=PERCENT    packets that take late-by longer, and so are overtaken (0)
 *   late-by=MS      (10)
 *   duplicate=PERCENT  packets that arrive twice (0)
 *   corrupt=PERCENT    UDP packets in which one bit of the payload is flipped; the checksum is mended, so that they arrive (0)
 *   seed=N          of the random generator (1)
 *
 * How it works. A packet that is read is judged once: lost, or given a time of arrival. Serialisation needs no queue of
 * its own: the time at which the line falls idle says how much is waiting. Packets in flight are in one heap, ordered by
 * arrival; the loop sleeps until the earliest is due or another packet can be read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PACKET = 65536, READS_PER_TURN = 64 };

struct settings {
  double rate_mbit, queue_bytes, delay_ms, jitter_ms;
  double loss, late, late_by_ms, duplicate, corrupt;
  double seed;
};

struct option {
  const char *name;
  double *value;
};

struct flight {
  int64_t arrival_ns;
  uint64_t order; /* breaks ties, so that equal times keep their order */
  int to;         /* the end that receives it */
  size_t size;
  unsigned char *bytes;
};

struct counters {
  uint64_t packets, bytes, delivered, lost, overflowed, late, duplicated, corrupted;
};

struct end {
  int device;
  int64_t idle_at_ns;      /* when the line from this end has sent all that waits */
  int64_t last_arrival_ns; /* of packets in order */
  struct counters counters;
};

static struct end ends[2];
static struct flight *heap;
static size_t heap_size, heap_room;
static uint64_t next_order;
static uint64_t random_state;
static volatile sig_atomic_t stopping;

static void on_signal(int number) {
  (void)number;
  stopping = 1;
}

static void fail(const char *what) {
  fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int64_t from_ms(double ms) { return (int64_t)(ms * 1e6); }

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(void) {
  uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Uniform in [0, 1). */
static double draw(void) { return (double)(next_random() >> 11) / 9007199254740992.0; }

static bool happens(double percent) { return percent > 0 && draw() * 100 < percent; }

/* ---- packets in flight ---- */

static bool before(const struct flight *a, const struct flight *b) {
  return a->arrival_ns != b->arrival_ns ? a->arrival_ns < b->arrival_ns : a->order < b->order;
}

static void heap_push(struct flight flight) {
  if (heap_size == heap_room) {
    heap_room = heap_room == 0 ? 1024 : 2 * heap_room;
    heap = realloc(heap, heap_room * sizeof *heap);
    if (heap == NULL) fail("memory");
  }
  size_t at = heap_size++;
  while (at > 0 && before(&flight, &heap[(at - 1) / 2])) {
    heap[at] = heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap[at] = flight;
}

static struct flight heap_pop(void) {
  struct flight first = heap[0], last = heap[--heap_size];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= heap_size) break;
    if (child + 1 < heap_size && before(&heap[child + 1], &heap[child])) child++;
    if (!before(&heap[child], &last)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

static void launch(int to, int64_t arrival_ns, const unsigned char *bytes, size_t size) {
  struct flight flight = {.arrival_ns = arrival_ns, .order = next_order++, .to = to, .size = size};
  flight.bytes = malloc(size);
  if (flight.bytes == NULL) fail("memory");
  memcpy(flight.bytes, bytes, size);
  heap_push(flight);
}

/* ---- corruption ---- */

/* Where the UDP header of an unfragmented packet begins; 0 for anything else. */
static size_t udp_header(const unsigned char *packet, size_t size) {
  if (size >= 28 && packet[0] >> 4 == 4 && packet[9] == 17 && (packet[6] & 0x3f) == 0 && packet[7] == 0) return 4 * (packet[0] & 15);
  if (size >= 48 && packet[0] >> 4 == 6 && packet[6] == 17) return 40;
  return 0;
}

/* Flips one bit of the UDP payload and mends the checksum for it (RFC 1624 §3). */
static bool corrupt(unsigned char *packet, size_t size) {
  size_t udp = udp_header(packet, size), payload = udp + 8;
  if (udp == 0 || size <= payload) return false;
  size_t at = payload + next_random() % (size - payload);
  unsigned char mask = (unsigned char)(1u << (next_random() & 7));
  bool high = (at - udp) % 2 == 0;
  uint32_t old_word = high ? (uint32_t)packet[at] << 8 : packet[at];
  packet[at] ^= mask;
  uint32_t new_word = high ? (uint32_t)packet[at] << 8 : packet[at];
  uint32_t sum = (uint32_t)packet[udp + 6] << 8 | packet[udp + 7];
  if (sum == 0) return true; /* sent without a checksum */
  sum = (~sum & 0xffff) + (~old_word & 0xffff) + new_word;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  sum = ~sum & 0xffff;
  if (sum == 0) sum = 0xffff;
  packet[udp + 6] = (unsigned char)(sum >> 8);
  packet[udp + 7] = (unsigned char)sum;
  return true;
}

/* ---- the link ---- */

/* Decides what becomes of a packet that `from` has sent. */
static void carry(const struct settings *set, int from, unsigned char *packet, size_t size, int64_t now) {
  struct end *end = &ends[from];
  end->counters.packets++;
  end->counters.bytes += size;
  if (happens(set->loss)) {
    end->counters.lost++;
    return;
  }
  int64_t sent_at = now;
  if (set->rate_mbit > 0) {
    double ns_per_byte = 8000 / set->rate_mbit;
    int64_t begin = end->idle_at_ns > now ? end->idle_at_ns : now;
    if ((double)(begin - now) / ns_per_byte + (double)size > set->queue_bytes) {
      end->counters.overflowed++;
      return;
    }
    sent_at = end->idle_at_ns = begin + (int64_t)((double)size * ns_per_byte);
  }
  int64_t arrival = sent_at + from_ms(set->delay_ms) + from_ms(set->jitter_ms * draw());
  if (arrival < end->last_arrival_ns) arrival = end->last_arrival_ns;
  end->last_arrival_ns = arrival;
  if (happens(set->late)) {
    end->counters.late++;
    arrival += from_ms(set->late_by_ms);
  }
  if (happens(set->duplicate)) {
    end->counters.duplicated++;
    launch(!from, arrival, packet, size);
  }
  if (happens(set->corrupt) && corrupt(packet, size)) end->counters.corrupted++;
  launch(!from, arrival, packet, size);
}

static void read_from(const struct settings *set, int from) {
  static unsigned char packet[MAX_PACKET];
  for (int turn = 0; turn < READS_PER_TURN; turn++) {
    ssize_t size = read(ends[from].device, packet, sizeof packet);
    if (size <= 0) return;
    carry(set, from, packet, (size_t)size, now_ns());
  }
}

static void deliver_due(int64_t now) {
  while (heap_size > 0 && heap[0].arrival_ns <= now) {
    struct flight flight = heap_pop();
    /* A full receiver is a lossy receiver; the counter says only what left the link. */
    if (write(ends[flight.to].device, flight.bytes, flight.size) == (ssize_t)flight.size) ends[!flight.to].counters.delivered++;
    free(flight.bytes);
  }
}

static void run(const struct settings *set) {
  struct pollfd readable[2] = {{.fd = ends[0].device, .events = POLLIN}, {.fd = ends[1].device, .events = POLLIN}};
  while (!stopping) {
    struct timespec wait, *timeout = NULL;
    if (heap_size > 0) {
      int64_t left = heap[0].arrival_ns - now_ns();
      if (left < 0) left = 0;
      wait.tv_sec = left / 1000000000;
      wait.tv_nsec = left % 1000000000;
      timeout = &wait;
    }
    if (ppoll(readable, 2, timeout, NULL) < 0 && errno != EINTR) fail("ppoll");
    deliver_due(now_ns());
    for (int end = 0; end < 2; end++)
      if (readable[end].revents & POLLIN) read_from(set, end);
  }
}

/* ---- set-up ---- */

/* A TUN device in the given namespace. The process stays there, which is harmless: it opens nothing else. */
static int open_device(const char *namespace) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", namespace);
  int net = open(path, O_RDONLY | O_CLOEXEC);
  if (net < 0 || setns(net, CLONE_NEWNET) < 0) fail(path);
  close(net);
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(request.ifr_name, "wire0");
  if (ioctl(device, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  return device;
}

static void read_options(struct settings *set, int count, char **words) {
  const struct option options[] = {
      {"rate", &set->rate_mbit}, {"queue", &set->queue_bytes},   {"delay", &set->delay_ms},      {"jitter", &set->jitter_ms},  {"loss", &set->loss},
      {"late", &set->late},      {"late-by", &set->late_by_ms}, {"duplicate", &set->duplicate}, {"corrupt", &set->corrupt}, {"seed", &set->seed},
  };
  for (int i = 0; i < count; i++) {
    char *equals = strchr(words[i], '='), *rest = NULL;
    size_t known = 0;
    for (; equals != NULL && known < sizeof options / sizeof *options; known++)
      if (strlen(options[known].name) == (size_t)(equals - words[i]) && strncmp(options[known].name, words[i], (size_t)(equals - words[i])) == 0) break;
    if (equals == NULL || known == sizeof options / sizeof *options) {
      fprintf(stderr, "link: unknown option %s\n", words[i]);
      exit(2);
    }
    *options[known].value = strtod(equals + 1, &rest);
    if (rest == equals + 1 || *rest != '\0' || *options[known].value < 0) {
      fprintf(stderr, "link: not a number: %s\n", words[i]);
      exit(2);
    }
  }
}

static void print_counters(void) {
  printf("{");
  for (int end = 0; end < 2; end++) {
    const struct counters *c = &ends[end].counters;
    printf("%s\"%s\":{\"packets\":%llu,\"bytes\":%llu,\"delivered\":%llu,\"lost\":%llu,\"overflowed\":%llu,\"late\":%llu,\"duplicated\":%llu,\"corrupted\":%llu}",
           end == 0 ? "" : ",", end == 0 ? "fromA" : "fromB", (unsigned long long)c->packets, (unsigned long long)c->bytes,
           (unsigned long long)c->delivered, (unsigned long long)c->lost, (unsigned long long)c->overflowed, (unsigned long long)c->late,
           (unsigned long long)c->duplicated, (unsigned long long)c->corrupted);
  }
  printf("}\n");
}

int main(int count, char **words) {
  struct settings set = {.queue_bytes = 250000, .late_by_ms = 10, .seed = 1};
  if (count < 3) {
    fprintf(stderr, "usage: link NETNS_A NETNS_B [key=value …]\n");
    return 2;
  }
  read_options(&set, count - 3, words + 3);
  random_state = (uint64_t)set.seed;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  prctl(PR_SET_TIMERSLACK, 1);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  for (int end = 0; end < 2; end++) ends[end].device = open_device(words[1 + end]);
  printf("ready\n");
  fflush(stdout);
  run(&set);
  print_counters();
  return 0;
}
