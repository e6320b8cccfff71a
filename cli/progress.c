/* progress.c - see progress.h. */
#include "progress.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SHOWN_AFTER_SECONDS 0.5
#define MAX_LINE 512

static struct progress {
    pthread_mutex_t lock; /* guards everything here, and the terminal's line */
    bool on;
    bool drawn; /* something stands on the line */
    double begun;
    uint32_t done, total;
    char doing[MAX_LINE]; /* "foo.c", or "linking foo" */
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct ticker {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running;
    bool stop; /* guarded by lock */
} ticker = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void put(const char *text, size_t length)
{
    /* What the terminal does not take is lost: it is only a progress line. */
    ssize_t written = write(STDERR_FILENO, text, length);
    (void)written;
}

/* The columns of the terminal, or 80. */
static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < MAX_LINE ? size.ws_col : MAX_LINE - 1;
}

/* Take the line away; with the lock held. */
static void erase(void)
{
    if (progress.drawn)
        put("\r\033[K", 4);
    progress.drawn = false;
}

void progress_begin(void)
{
    const char *terminal = getenv("TERM");
    bool on = isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
    pthread_mutex_lock(&progress.lock);
    progress.on = on;
    progress.begun = now();
    progress.done = progress.total = 0;
    snprintf(progress.doing, sizeof progress.doing, "looking");
    pthread_mutex_unlock(&progress.lock);
}

bool progress_is_on(void)
{
    pthread_mutex_lock(&progress.lock);
    bool on = progress.on;
    pthread_mutex_unlock(&progress.lock);
    return on;
}

void progress_event(const kiln_event *event)
{
    const char *unit = event->unit != NULL ? event->unit : event->library;
    pthread_mutex_lock(&progress.lock);
    switch (event->kind) {
    case KILN_EVENT_LOOKUP_MISS:
        snprintf(progress.doing, sizeof progress.doing, "preparing %s", event->library);
        break;
    case KILN_EVENT_UNIT_STARTED:
        snprintf(progress.doing, sizeof progress.doing, "%s", unit);
        progress.total = event->total;
        break;
    case KILN_EVENT_UNIT_FINISHED:
        progress.done = event->done;
        progress.total = event->total;
        break;
    case KILN_EVENT_LINK_STARTED:
        snprintf(progress.doing, sizeof progress.doing, "linking %s", event->library);
        break;
    default:
        break;
    }
    pthread_mutex_unlock(&progress.lock);
}

/* Write the line as it is to be, of at most width - 1 columns, so that no terminal wraps it. */
static void draw(double elapsed, size_t width)
{
    char text[MAX_LINE * 2];
    char count[32] = "";
    if (progress.total > 0)
        snprintf(count, sizeof count, "[%u/%u] ", progress.done, progress.total);
    int whole = elapsed >= 60 ? 0 : 1;
    char time[32];
    if (whole)
        snprintf(time, sizeof time, "%.1f s", elapsed);
    else
        snprintf(time, sizeof time, "%ld:%02ld", (long)elapsed / 60, (long)elapsed % 60);
    size_t frame = strlen(count) + strlen(time) + 2;
    size_t room = width > frame + 1 ? width - frame - 1 : 0;
    /* The end of a path says more than its start. */
    size_t length = strlen(progress.doing);
    const char *doing = length > room ? progress.doing + (length - room) : progress.doing;
    int size = snprintf(text, sizeof text, "\r\033[K%s%s  %s", count, doing, time);
    put(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    progress.drawn = true;
}

void progress_tick(void)
{
    pthread_mutex_lock(&progress.lock);
    double elapsed = now() - progress.begun;
    if (progress.on && elapsed >= SHOWN_AFTER_SECONDS)
        draw(elapsed, terminal_width());
    pthread_mutex_unlock(&progress.lock);
}

void progress_clear(void)
{
    pthread_mutex_lock(&progress.lock);
    erase();
    pthread_mutex_unlock(&progress.lock);
}

void progress_end(void)
{
    pthread_mutex_lock(&progress.lock);
    erase();
    progress.on = false;
    pthread_mutex_unlock(&progress.lock);
}

static void *tick(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&ticker.lock);
    while (!ticker.stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PROGRESS_TICK_MS * 1000000l;
        until.tv_sec += until.tv_nsec / 1000000000l;
        until.tv_nsec %= 1000000000l;
        pthread_cond_clockwait(&ticker.changed, &ticker.lock, CLOCK_MONOTONIC, &until);
        if (!ticker.stop)
            progress_tick();
    }
    pthread_mutex_unlock(&ticker.lock);
    return NULL;
}

void progress_ticker_start(void)
{
    ticker.stop = false;
    pthread_cond_init(&ticker.changed, NULL);
    /* Without the thread the line stands still, which is no reason to fail. */
    ticker.running = progress_is_on() && pthread_create(&ticker.thread, NULL, tick, NULL) == 0;
}

void progress_ticker_stop(void)
{
    if (!ticker.running)
        return;
    pthread_mutex_lock(&ticker.lock);
    ticker.stop = true;
    pthread_cond_signal(&ticker.changed);
    pthread_mutex_unlock(&ticker.lock);
    pthread_join(ticker.thread, NULL);
    ticker.running = false;
}
