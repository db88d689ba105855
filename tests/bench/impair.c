/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A link that is worse than it looks: forwards frames between two netdevs of one namespace, each
 * way through a bottleneck (rate and queue limit), then a delay, with loss, duplication, late
 * frames (reordering) and flipped bits drawn from a seed. For machines whose kernel has no netem.
 *
 *   impair IF_A IF_B [ab:|ba:]KEY=VALUE...
 *
 * seed=N  delay=US  jitter=US  rate=BITS_PER_S  queue=BYTES  loss=PERCENT  dup=PERCENT
 * reorder=PERCENT (of frames that come `late` us later than their turn)  late=US
 * corrupt=PERCENT (one bit behind the Ethernet header)
 *
 * Without ab: or ba: a value holds for both ways. The order is kept but for `reorder` and `jitter`.
 * Ends on SIGTERM or SIGINT and prints what it did, one line of key=value each way.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#define FRAME_MAX   2048
#define FRAMES      32768 /* in flight both ways together */
#define BURST       64
#define SOCKET_ROOM (8 << 20)
#define WIRE_EXTRA  24 /* preamble, FCS and gap: what a frame costs on Ethernet */

struct frame {
	uint64_t due, order;
	uint16_t len;
	uint8_t data[FRAME_MAX];
};

struct way {
	const char *name;
	int in, out;
	uint64_t rng;
	uint64_t delay, jitter, late, rate, queue; /* ns, bits/s, bytes */
	double loss, dup, reorder, corrupt;        /* 0 to 1 */
	uint64_t free_at;                          /* when the bottleneck has sent what it has */
	struct frame **heap;                       /* by due, then order */
	uint32_t heap_count;
	uint64_t frames, bytes, lost, dropped, doubled, delayed, damaged, send_failed;
};

struct impair {
	struct way ways[2];
	struct frame *frames, **spare;
	uint32_t spare_count;
	uint64_t order;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* xorshift64* */
static double draw(struct way *w)
{
	w->rng ^= w->rng >> 12;
	w->rng ^= w->rng << 25;
	w->rng ^= w->rng >> 27;
	return (double)((w->rng * UINT64_C(2685821657736338717)) >> 11) / (double)(1ull << 53);
}

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_put(struct way *w, struct frame *f)
{
	uint32_t i = w->heap_count++;

	for (; i > 0 && before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = f;
}

static struct frame *heap_get(struct way *w)
{
	struct frame *top = w->heap[0], *last = w->heap[--w->heap_count];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < w->heap_count) {
		if (child + 1 < w->heap_count && before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!before(w->heap[child], last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return top;
}

static void enqueue(struct impair *im, struct way *w, const struct frame *f, uint64_t due)
{
	struct frame *copy;

	if (im->spare_count == 0) {
		w->dropped++;
		return;
	}
	copy = im->spare[--im->spare_count];
	copy->len = f->len;
	memcpy(copy->data, f->data, f->len);
	copy->due = due;
	copy->order = im->order++;
	if (w->corrupt > 0 && copy->len > ETH_HLEN && draw(w) < w->corrupt) {
		uint32_t bit = (uint32_t)(draw(w) * (copy->len - ETH_HLEN) * 8);

		copy->data[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
		w->damaged++;
	}
	heap_put(w, copy);
}

static void take(struct impair *im, struct way *w, const struct frame *f, uint64_t now)
{
	uint64_t due, start = w->free_at > now ? w->free_at : now;

	w->frames++;
	w->bytes += f->len;
	if (w->rate > 0) {
		if (w->queue > 0 && (start - now) * w->rate / 8000000000u + f->len > w->queue) {
			w->dropped++;
			return;
		}
		start += (f->len + WIRE_EXTRA) * UINT64_C(8000000000) / w->rate;
		w->free_at = start;
	}
	/* Lost behind the bottleneck, where it has cost its time. */
	if (w->loss > 0 && draw(w) < w->loss) {
		w->lost++;
		return;
	}
	due = start + w->delay + (w->jitter > 0 ? (uint64_t)(draw(w) * (double)w->jitter) : 0);
	if (w->reorder > 0 && draw(w) < w->reorder) {
		due += w->late;
		w->delayed++;
	}
	enqueue(im, w, f, due);
	if (w->dup > 0 && draw(w) < w->dup) {
		enqueue(im, w, f, due);
		w->doubled++;
	}
}

static void receive(struct impair *im, struct way *w, uint64_t now)
{
	static struct frame frames[BURST];
	struct mmsghdr msgs[BURST] = {0};
	struct iovec iov[BURST];
	int n;

	for (int i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){frames[i].data, FRAME_MAX};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(w->in, msgs, BURST, MSG_DONTWAIT | MSG_TRUNC, NULL);
	for (int i = 0; i < n; i++) {
		if (msgs[i].msg_len > FRAME_MAX) { /* an end that was left with TSO on */
			w->dropped++;
			continue;
		}
		frames[i].len = (uint16_t)msgs[i].msg_len;
		take(im, w, &frames[i], now);
	}
}

static void deliver(struct impair *im, struct way *w, uint64_t now)
{
	while (w->heap_count > 0 && w->heap[0]->due <= now) {
		struct mmsghdr msgs[BURST] = {0};
		struct iovec iov[BURST];
		struct frame *out[BURST];
		int n = 0, done;

		while (n < BURST && w->heap_count > 0 && w->heap[0]->due <= now) {
			out[n] = heap_get(w);
			iov[n] = (struct iovec){out[n]->data, out[n]->len};
			msgs[n].msg_hdr.msg_iov = &iov[n];
			msgs[n].msg_hdr.msg_iovlen = 1;
			n++;
		}
		for (int sent = 0; sent < n; sent += done) {
			done = sendmmsg(w->out, msgs + sent, (unsigned int)(n - sent), 0);
			if (done <= 0) {
				w->send_failed++;
				done = 1;
			}
		}
		for (int i = 0; i < n; i++)
			im->spare[im->spare_count++] = out[i];
	}
}

static void run(struct impair *im)
{
	struct pollfd fds[2] = {{im->ways[0].in, POLLIN, 0}, {im->ways[1].in, POLLIN, 0}};

	while (!stop) {
		uint64_t now = now_ns(), next = now + 100000000;
		struct timespec ts = {0};

		for (int i = 0; i < 2; i++) {
			receive(im, &im->ways[i], now);
			deliver(im, &im->ways[i], now);
			if (im->ways[i].heap_count > 0 && im->ways[i].heap[0]->due < next)
				next = im->ways[i].heap[0]->due;
		}
		now = now_ns();
		if (next > now) {
			ts.tv_nsec = (long)(next - now);
			ppoll(fds, 2, &ts, NULL);
		}
	}
}

static int open_end(const char *name)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq promisc = {.mr_type = PACKET_MR_PROMISC};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1, room = SOCKET_ROOM;

	ll.sll_ifindex = promisc.mr_ifindex = (int)if_nametoindex(name);
	if (s < 0 || ll.sll_ifindex == 0 ||
		setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
		setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0 ||
		setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
		setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
		bind(s, (struct sockaddr *)&ll, sizeof(ll)) < 0) {
		fprintf(stderr, "impair: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return s;
}

static bool set_value(struct way *w, const char *key, const char *text)
{
	struct {
		const char *key;
		uint64_t *number;
		double *percent;
		uint64_t unit;
	} keys[] = {
		{"seed", &w->rng, NULL, 1},
		{"delay", &w->delay, NULL, 1000},
		{"jitter", &w->jitter, NULL, 1000},
		{"late", &w->late, NULL, 1000},
		{"rate", &w->rate, NULL, 1},
		{"queue", &w->queue, NULL, 1},
		{"loss", NULL, &w->loss, 0},
		{"dup", NULL, &w->dup, 0},
		{"reorder", NULL, &w->reorder, 0},
		{"corrupt", NULL, &w->corrupt, 0},
	};
	char *end;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (keys[i].percent != NULL)
			*keys[i].percent = strtod(text, &end) / 100;
		else
			*keys[i].number = strtoull(text, &end, 10) * keys[i].unit;
		return *text != '\0' && *end == '\0';
	}
	return false;
}

static bool parse(struct impair *im, char *arg)
{
	int first = strncmp(arg, "ba:", 3) == 0, last = strncmp(arg, "ab:", 3) == 0 ? 0 : 1;
	char *key = first == 1 || last == 0 ? arg + 3 : arg, *value = strchr(key, '=');

	if (value == NULL)
		return false;
	*value++ = '\0';
	for (int i = first; i <= last; i++) {
		if (!set_value(&im->ways[i], key, value))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct impair im = {.ways = {{.name = "ab"}, {.name = "ba"}}};
	struct sigaction sa = {.sa_handler = on_signal};

	for (int i = 3; i < argc; i++) {
		if (!parse(&im, argv[i])) {
			fprintf(stderr, "impair: not understood: %s\n", argv[i]);
			return 2;
		}
	}
	if (argc < 3) {
		fprintf(stderr, "usage: impair IF_A IF_B [ab:|ba:]KEY=VALUE...\n");
		return 2;
	}
	im.ways[0].in = im.ways[1].out = open_end(argv[1]);
	im.ways[1].in = im.ways[0].out = open_end(argv[2]);
	im.frames = calloc(FRAMES, sizeof(*im.frames));
	im.spare = calloc(FRAMES, sizeof(struct frame *));
	for (int i = 0; i < 2; i++) {
		struct way *w = &im.ways[i];

		w->heap = calloc(FRAMES, sizeof(struct frame *));
		/* Never 0, and the two ways apart. */
		w->rng = (w->rng * 2 + (uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	}
	if (im.frames == NULL || im.spare == NULL || im.ways[0].heap == NULL ||
		im.ways[1].heap == NULL)
		return 1;
	for (uint32_t i = 0; i < FRAMES; i++)
		im.spare[im.spare_count++] = &im.frames[i];
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	run(&im);
	for (int i = 0; i < 2; i++) {
		const struct way *w = &im.ways[i];

		printf("%s frames=%lu bytes=%lu lost=%lu queue_dropped=%lu doubled=%lu delayed=%lu "
		       "damaged=%lu send_failed=%lu\n",
			w->name, w->frames, w->bytes, w->lost, w->dropped, w->doubled, w->delayed,
			w->damaged, w->send_failed);
	}
	return 0;
}
