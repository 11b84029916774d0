/*
 * Asks a STUN server as fast as it answers, from many addresses in turn.
 *
 *   stun-load SERVER PORT SECONDS FIRST COUNT
 *
 * SERVER and FIRST are IPv4 addresses; FIRST and the COUNT - 1 addresses behind it must be this host's. Keeps WINDOW
 * questions open; what is not answered within PATIENCE_MS counts as lost. Prints one line of JSON: questions, answers to
 * them, and what came that was no such answer. Linux.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  WINDOW = 256,    /* enough to keep a server busy, too few to overflow its socket's buffer */
  BATCH = 32,      /* datagrams a system call */
  PATIENCE_MS = 50,
  HEADER_SIZE = 20, /* RFC 8489 §5 */
  BINDING_REQUEST = 0x0001,
  BINDING_SUCCESS = 0x0101,
  BUFFER_SIZE = 1 << 22,
};
static const uint32_t COOKIE = 0x2112A442;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  fprintf(stderr, "stun-load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* A question whose transaction id says its number. */
static void write_question(unsigned char *bytes, uint32_t number) {
  uint16_t type = htons(BINDING_REQUEST);
  uint32_t cookie = htonl(COOKIE);
  memset(bytes, 0, HEADER_SIZE);
  memcpy(bytes, &type, 2);
  memcpy(bytes + 4, &cookie, 4);
  memcpy(bytes + 8, &number, 4);
}

static bool is_answer(const unsigned char *bytes, size_t size) {
  uint16_t type;
  uint32_t cookie;
  if (size < HEADER_SIZE) return false;
  memcpy(&type, bytes, 2);
  memcpy(&cookie, bytes + 4, 4);
  return ntohs(type) == BINDING_SUCCESS && ntohl(cookie) == COOKIE;
}

static struct sockaddr_in server;
static uint32_t first_source, sources, asked;

/* Sends up to BATCH questions, each from the next address; returns how many. */
static int ask(int socket, int count) {
  static struct mmsghdr messages[BATCH];
  static struct iovec parts[BATCH];
  static unsigned char questions[BATCH][HEADER_SIZE];
  static union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
  } controls[BATCH];
  if (count > BATCH) count = BATCH;
  for (int i = 0; i < count; i++) {
    write_question(questions[i], asked + i);
    parts[i] = (struct iovec){questions[i], HEADER_SIZE};
    struct msghdr *message = &messages[i].msg_hdr;
    *message = (struct msghdr){.msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &parts[i], .msg_iovlen = 1};
    message->msg_control = &controls[i];
    message->msg_controllen = sizeof controls[i].room;
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    *control = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
    struct in_pktinfo source = {.ipi_spec_dst.s_addr = htonl(first_source + (asked + i) % sources)};
    memcpy(CMSG_DATA(control), &source, sizeof source);
  }
  int sent = sendmmsg(socket, messages, (unsigned)count, 0);
  if (sent < 0) {
    if (errno == EAGAIN || errno == ENOBUFS) return 0;
    fail("sendmmsg");
  }
  asked += (uint32_t)sent;
  return sent;
}

/* Takes what has come; returns the number of answers and adds up the rest. */
static int take(int socket, uint64_t *others) {
  static struct mmsghdr messages[BATCH];
  static struct iovec parts[BATCH];
  static unsigned char answers[BATCH][512];
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){answers[i], sizeof answers[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  int count = recvmmsg(socket, messages, BATCH, MSG_DONTWAIT, NULL);
  int found = 0;
  for (int i = 0; i < count; i++) found += is_answer(answers[i], messages[i].msg_len);
  if (count > 0) *others += (uint64_t)(count - found);
  return found;
}

int main(int count, char **words) {
  struct in_addr first;
  if (count != 6 || inet_pton(AF_INET, words[1], &server.sin_addr) != 1 || inet_pton(AF_INET, words[4], &first) != 1) {
    fprintf(stderr, "usage: stun-load SERVER PORT SECONDS FIRST COUNT\n");
    return 2;
  }
  server.sin_family = AF_INET;
  server.sin_port = htons((uint16_t)atoi(words[2]));
  first_source = ntohl(first.s_addr);
  sources = (uint32_t)atoi(words[5]);
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  if (udp < 0) fail("socket");
  int size = BUFFER_SIZE;
  setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  uint64_t answered = 0, others = 0;
  int open = 0;
  double end = now() + atof(words[3]);
  while (now() < end) {
    while (open < WINDOW) {
      int sent = ask(udp, WINDOW - open);
      if (sent == 0) break;
      open += sent;
    }
    struct pollfd ready = {.fd = udp, .events = POLLIN};
    if (poll(&ready, 1, PATIENCE_MS) == 0) {
      open = 0; /* all lost */
      continue;
    }
    int found = take(udp, &others);
    answered += (uint64_t)found;
    open = found < open ? open - found : 0;
  }
  printf("{\"asked\":%u,\"answered\":%llu,\"others\":%llu}\n", asked, (unsigned long long)answered, (unsigned long long)others);
  return 0;
}
