/*
 * Makes a router forget: empties the connection tracking table of a network namespace, in all families.
 *
 *   conntrack NETNS
 *
 * Linux, CAP_SYS_ADMIN and CAP_NET_ADMIN. It says the same to the kernel as the tool of this name with "-F", which not
 * every machine has: over netfilter's netlink, a request to delete that names no entry deletes them all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
  struct nlmsghdr header;
  struct nfgenmsg family;
};

struct answer {
  struct nlmsghdr header;
  struct nlmsgerr outcome;
};

static int fail(const char *what) {
  fprintf(stderr, "conntrack: %s: %s\n", what, strerror(errno));
  return 1;
}

int main(int count, char **words) {
  if (count != 2) {
    fprintf(stderr, "usage: conntrack NETNS\n");
    return 2;
  }
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", words[1]);
  int namespace = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0) return fail(path);
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (netlink < 0) return fail("socket");
  struct request request = {
      .header = {.nlmsg_len = sizeof request,
                 .nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
  };
  if (send(netlink, &request, sizeof request, 0) < 0) return fail("send");
  union {
    struct answer answer;
    char room[4096];
  } received;
  ssize_t size = recv(netlink, &received, sizeof received, 0);
  if (size < (ssize_t)sizeof received.answer) return fail("recv");
  if (received.answer.header.nlmsg_type != NLMSG_ERROR || received.answer.outcome.error != 0) {
    errno = -received.answer.outcome.error;
    return fail("the kernel refuses");
  }
  return 0;
}
