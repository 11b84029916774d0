/*
 * A bad link between two network namespaces.
 *
 *   link NETNS_A NETNS_B [key=value …]
 *
 * Makes one TUN device, called "wire0", in each of the two namespaces (which must exist) and carries packets between
 * them. Prints "ready" once both are there; the caller gives them addresses. On SIGTERM or SIGINT it prints its counters
 * as one line of JSON and ends, and the devices with it. Linux, CAP_NET_ADMIN.
 *
 * Both directions alike, or with "@a" behind the key (rate@a=10) only what A sends, with "@b" what B sends:
 *   rate=MBIT       serialisation at this many Mbit/s, counted over IP packets; 0 is no limit (0)
 *   queue=BYTES     what may wait for serialisation, then the tail is dropped (250000)
 *   queue-packets=N the same in packets, which takes the place of the limit in bytes; 0 is by bytes (0)
 *   delay=MS        propagation one way (0)
 *   jitter=MS       added to the propagation, uniform in [0, MS], without reordering (0)
 *   loss=PERCENT    packets that vanish, each by itself (0)
 *   burst-enter=PERCENT, burst-leave=PERCENT  loss in bursts (Gilbert and Elliott): chance a packet that a burst begins,
 *                   and that it ends (0, 100)
 *   late=PERCENT    packets that take late-by longer, and so are overtaken (0)
 *   late-by=MS      (10)
 *   overtake=PERCENT packets that skip the propagation, and so overtake all that are under way (0)
 *   duplicate=PERCENT  packets that arrive twice (0)
 *   corrupt=PERCENT    UDP packets in which one bit of the payload is flipped; the checksum is mended, so that they arrive (0)
 *   mtu=BYTES       larger packets vanish; 0 is no limit (0)
 *   police=MBIT     a token bucket of police-burst bytes that fills at this rate; packets beyond it vanish; 0 is none (0)
 *   police-burst=BYTES (100000)
 *   down=1          everything vanishes (0)
 * For the whole link:
 *   seed=N          of the random generator (1)
 *
 * While it runs it reads standard input: a line of settings changes them for the packets to come, the line "counters"
 * prints the counters so far.
 *
 * How it works. A packet that is read is judged once: lost (in front of the queue), dropped by the queue, or given a time
 * of arrival. Serialisation needs no queue of its own: the time at which the line falls idle says how much is waiting, and
 * a ring of departure times how many packets. Packets in flight are in one heap, ordered by arrival; the loop sleeps until
 * the earliest is due or another packet can be read. It asks for real-time priority, so that a busy machine does not
 * stretch the delays.
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

enum { MAX_PACKET = 65536, READS_PER_TURN = 64, MAX_LINE = 1024 };

struct settings {
  double rate_mbit, queue_bytes, queue_packets, delay_ms, jitter_ms;
  double loss, burst_enter, burst_leave, late, late_by_ms, overtake, duplicate, corrupt;
  double mtu, police_mbit, police_burst, down;
};

struct flight {
  int64_t arrival_ns;
  uint64_t order; /* breaks ties, so that equal times keep their order */
  int to;         /* the end that receives it */
  size_t size;
  unsigned char *bytes;
};

struct counters {
  uint64_t packets, bytes, delivered, lost, overflowed, oversized, policed, blacked_out, late, overtaking, duplicated, corrupted;
};

/* When the packets that wait will have left; grows as needed. */
struct departures {
  int64_t *at_ns;
  size_t first, count, room;
};

struct end {
  struct settings settings; /* of what this end sends */
  int device;
  bool in_burst;
  int64_t idle_at_ns;      /* when the line from this end has sent all that waits */
  int64_t last_arrival_ns; /* of packets in order */
  double tokens;           /* of the policer, in bytes */
  int64_t tokens_at_ns;    /* when they were counted */
  struct departures departures;
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

/* Packets that wait for serialisation or are in it. */
static size_t waiting(struct departures *queue, int64_t now) {
  while (queue->count > 0 && queue->at_ns[queue->first] <= now) {
    queue->first = (queue->first + 1) % queue->room;
    queue->count--;
  }
  return queue->count;
}

static void note_departure(struct departures *queue, int64_t at_ns) {
  if (queue->count == queue->room) {
    size_t room = queue->room == 0 ? 1024 : 2 * queue->room;
    int64_t *grown = malloc(room * sizeof *grown);
    if (grown == NULL) fail("memory");
    for (size_t i = 0; i < queue->count; i++) grown[i] = queue->at_ns[(queue->first + i) % queue->room];
    free(queue->at_ns);
    *queue = (struct departures){.at_ns = grown, .count = queue->count, .room = room};
  }
  queue->at_ns[(queue->first + queue->count++) % queue->room] = at_ns;
}

/* Whether the bucket holds no tokens for the packet. */
static bool is_policed(struct end *end, size_t size, int64_t now) {
  const struct settings *set = &end->settings;
  if (set->police_mbit <= 0) return false;
  double tokens = end->tokens + (double)(now - end->tokens_at_ns) * set->police_mbit / 8000;
  if (end->tokens_at_ns == 0 || tokens > set->police_burst) tokens = set->police_burst;
  end->tokens_at_ns = now;
  bool is_beyond = tokens < (double)size;
  end->tokens = is_beyond ? tokens : tokens - (double)size;
  return is_beyond;
}

static bool is_lost(struct end *end) {
  const struct settings *set = &end->settings;
  if (set->burst_enter > 0) {
    if (happens(end->in_burst ? set->burst_leave : set->burst_enter)) end->in_burst = !end->in_burst;
    if (end->in_burst) return true;
  }
  return happens(set->loss);
}

/* When the last bit of the packet has left; -1 if the queue is full. */
static int64_t serialise(struct end *end, size_t size, int64_t now) {
  const struct settings *set = &end->settings;
  if (set->rate_mbit <= 0) return now;
  double ns_per_byte = 8000 / set->rate_mbit;
  int64_t begin = end->idle_at_ns > now ? end->idle_at_ns : now;
  size_t packets = waiting(&end->departures, now);
  if (set->queue_packets > 0 ? (double)packets >= set->queue_packets
                             : (double)(begin - now) / ns_per_byte + (double)size > set->queue_bytes)
    return -1;
  end->idle_at_ns = begin + (int64_t)((double)size * ns_per_byte);
  note_departure(&end->departures, end->idle_at_ns);
  return end->idle_at_ns;
}

/* When a packet arrives that has left at `sent_at`. */
static int64_t propagate(struct end *end, int64_t sent_at) {
  const struct settings *set = &end->settings;
  if (happens(set->overtake)) {
    end->counters.overtaking++;
    return sent_at;
  }
  int64_t arrival = sent_at + from_ms(set->delay_ms) + from_ms(set->jitter_ms * draw());
  if (arrival < end->last_arrival_ns) arrival = end->last_arrival_ns;
  end->last_arrival_ns = arrival;
  if (happens(set->late)) {
    end->counters.late++;
    arrival += from_ms(set->late_by_ms);
  }
  return arrival;
}

/* Decides what becomes of a packet that `from` has sent. */
static void carry(int from, unsigned char *packet, size_t size, int64_t now) {
  struct end *end = &ends[from];
  const struct settings *set = &end->settings;
  struct counters *counters = &end->counters;
  uint64_t *fate = NULL;
  counters->packets++;
  counters->bytes += size;
  int64_t sent_at = -1;
  if (set->down > 0) fate = &counters->blacked_out;
  else if (set->mtu > 0 && (double)size > set->mtu) fate = &counters->oversized;
  else if (is_policed(end, size, now)) fate = &counters->policed;
  else if (is_lost(end)) fate = &counters->lost;
  else if ((sent_at = serialise(end, size, now)) < 0) fate = &counters->overflowed;
  if (fate != NULL) {
    ++*fate;
    return;
  }
  int64_t arrival = propagate(end, sent_at);
  if (happens(set->duplicate)) {
    counters->duplicated++;
    launch(!from, arrival, packet, size);
  }
  if (happens(set->corrupt) && corrupt(packet, size)) counters->corrupted++;
  launch(!from, arrival, packet, size);
}

static void read_from(int from) {
  static unsigned char packet[MAX_PACKET];
  for (int turn = 0; turn < READS_PER_TURN; turn++) {
    ssize_t size = read(ends[from].device, packet, sizeof packet);
    if (size <= 0) return;
    carry(from, packet, (size_t)size, now_ns());
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

/* ---- settings and counters ---- */

/* Sets what one word says; false if it says nothing that is known. */
static bool apply_to(struct settings *set, const char *key, size_t length, double value) {
  const struct {
    const char *name;
    double *value;
  } known[] = {
      {"rate", &set->rate_mbit},        {"queue", &set->queue_bytes},       {"queue-packets", &set->queue_packets},
      {"delay", &set->delay_ms},        {"jitter", &set->jitter_ms},        {"loss", &set->loss},
      {"burst-enter", &set->burst_enter}, {"burst-leave", &set->burst_leave}, {"late", &set->late},
      {"late-by", &set->late_by_ms},    {"overtake", &set->overtake},       {"duplicate", &set->duplicate},
      {"corrupt", &set->corrupt},       {"mtu", &set->mtu},                 {"police", &set->police_mbit},
      {"police-burst", &set->police_burst}, {"down", &set->down},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strlen(known[i].name) != length || strncmp(known[i].name, key, length) != 0) continue;
    *known[i].value = value;
    return true;
  }
  return false;
}

/* Reads "key=value", "key@a=value" or "key@b=value"; false if it is none of them. */
static bool apply(const char *word) {
  const char *equals = strchr(word, '=');
  if (equals == NULL) return false;
  char *rest = NULL;
  double value = strtod(equals + 1, &rest);
  if (rest == equals + 1 || *rest != '\0' || value < 0) return false;
  size_t length = (size_t)(equals - word);
  if (length == 4 && strncmp(word, "seed", 4) == 0) {
    random_state = (uint64_t)value;
    return true;
  }
  int first = 0, last = 1;
  if (length > 2 && word[length - 2] == '@') {
    if (word[length - 1] != 'a' && word[length - 1] != 'b') return false;
    first = last = word[length - 1] == 'b';
    length -= 2;
  }
  bool is_known = true;
  for (int end = first; end <= last; end++) is_known = is_known && apply_to(&ends[end].settings, word, length, value);
  return is_known;
}

static void print_counters(void) {
  printf("{");
  for (int end = 0; end < 2; end++) {
    const struct counters *c = &ends[end].counters;
    const struct {
      const char *name;
      uint64_t value;
    } all[] = {
        {"packets", c->packets},       {"bytes", c->bytes},          {"delivered", c->delivered},   {"lost", c->lost},
        {"overflowed", c->overflowed}, {"oversized", c->oversized},  {"policed", c->policed},       {"blackedOut", c->blacked_out},
        {"late", c->late},             {"overtaking", c->overtaking}, {"duplicated", c->duplicated}, {"corrupted", c->corrupted},
    };
    printf("%s\"%s\":{", end == 0 ? "" : ",", end == 0 ? "fromA" : "fromB");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
      printf("%s\"%s\":%llu", i == 0 ? "" : ",", all[i].name, (unsigned long long)all[i].value);
    printf("}");
  }
  printf("}\n");
  fflush(stdout);
}

static void obey(char *line) {
  if (strcmp(line, "counters") == 0) {
    print_counters();
    return;
  }
  char *place = NULL;
  for (char *word = strtok_r(line, " ", &place); word != NULL; word = strtok_r(NULL, " ", &place))
    if (!apply(word)) fprintf(stderr, "link: no such setting: %s\n", word);
}

/* Reads what there is of standard input; false at its end. */
static bool read_commands(void) {
  static char text[MAX_LINE];
  static size_t length;
  ssize_t size = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
  if (size <= 0) return false;
  length += (size_t)size;
  text[length] = '\0';
  char *line = text;
  for (char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
    *end = '\0';
    obey(line);
    line = end + 1;
  }
  length -= (size_t)(line - text);
  memmove(text, line, length);
  return length < sizeof text - 1;
}

static void run(void) {
  struct pollfd ready[3] = {
      {.fd = ends[0].device, .events = POLLIN}, {.fd = ends[1].device, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  while (!stopping) {
    struct timespec wait, *timeout = NULL;
    if (heap_size > 0) {
      int64_t left = heap[0].arrival_ns - now_ns();
      if (left < 0) left = 0;
      wait.tv_sec = left / 1000000000;
      wait.tv_nsec = left % 1000000000;
      timeout = &wait;
    }
    if (ppoll(ready, 3, timeout, NULL) < 0) {
      if (errno != EINTR) fail("ppoll");
      continue;
    }
    deliver_due(now_ns());
    for (int end = 0; end < 2; end++)
      if (ready[end].revents & POLLIN) read_from(end);
    /* A negative descriptor is left out of the poll. */
    if (ready[2].revents != 0 && !read_commands()) ready[2].fd = -1;
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

int main(int count, char **words) {
  if (count < 3) {
    fprintf(stderr, "usage: link NETNS_A NETNS_B [key=value …]\n");
    return 2;
  }
  random_state = 1;
  for (int end = 0; end < 2; end++)
    ends[end].settings = (struct settings){.queue_bytes = 250000, .burst_leave = 100, .late_by_ms = 10, .police_burst = 100000};
  for (int i = 3; i < count; i++) {
    if (apply(words[i])) continue;
    fprintf(stderr, "link: no such setting: %s\n", words[i]);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  prctl(PR_SET_TIMERSLACK, 1);
  /* Refused to some containers, and then done without. */
  sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1});
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  for (int end = 0; end < 2; end++) ends[end].device = open_device(words[1 + end]);
  printf("ready\n");
  fflush(stdout);
  run();
  print_counters();
  return 0;
}
