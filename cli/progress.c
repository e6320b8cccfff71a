/* progress.c - the line that shows how far a build is: see progress.h.
 *
 * The line is redrawn as a whole, in one write, so that it never flickers and nothing can come in between. */
#include "progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "words.h"

#define SHOWN_AFTER_SECONDS 0.5
#define MAX_LINE 512
#define ERASE_LINE "\r\033[K"

static struct progress {
    pthread_mutex_t lock; /* guards everything here, and the terminal's line */
    bool on;
    bool drawn;  /* something stands on the line */
    bool paused; /* the library's own code may run and print: draw nothing until more is built */
    double begun;
    uint32_t done, total;
    char doing[MAX_LINE]; /* "linking foo"; shown while no unit is under way */
    /* The units that are under way, by when they were begun: that of the last is shown. */
    char **units;
    size_t unit_count;
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

static const int ending_signals[] = {SIGINT, SIGTERM};
#define ENDING_SIGNALS (sizeof ending_signals / sizeof *ending_signals)
static struct sigaction usual_actions[ENDING_SIGNALS];

/* Ctrl-C: leave a clean line, then end as if nobody had been listening. */
static void end_by_signal(int number)
{
    put(ERASE_LINE, sizeof ERASE_LINE - 1);
    signal(number, SIG_DFL);
    raise(number);
}

/* Listen for the end of the process, just as long as the line stands; what is ignored stays so. */
static void listen(void)
{
    struct sigaction ending = {.sa_handler = end_by_signal};
    for (size_t i = 0; i < ENDING_SIGNALS; i++) {
        sigaction(ending_signals[i], NULL, &usual_actions[i]);
        if (usual_actions[i].sa_handler != SIG_IGN)
            sigaction(ending_signals[i], &ending, NULL);
    }
}

/* Take the line away; with the lock held. */
static void erase(void)
{
    if (!progress.drawn)
        return;
    put(ERASE_LINE, sizeof ERASE_LINE - 1);
    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        sigaction(ending_signals[i], &usual_actions[i], NULL);
    progress.drawn = false;
}

/* Of what happens to units; with the lock held. */
static void begin_unit(const char *unit)
{
    progress.units =
        own(reallocarray(progress.units, progress.unit_count + 1, sizeof *progress.units));
    progress.units[progress.unit_count++] = own(strdup(unit));
}

static void end_unit(const char *unit)
{
    for (size_t i = progress.unit_count; i-- > 0;) {
        if (strcmp(progress.units[i], unit) != 0)
            continue;
        free(progress.units[i]);
        progress.unit_count--;
        memmove(progress.units + i, progress.units + i + 1,
                (progress.unit_count - i) * sizeof *progress.units);
        return;
    }
}

static void end_units(void)
{
    while (progress.unit_count > 0)
        free(progress.units[--progress.unit_count]);
    free(progress.units);
    progress.units = NULL;
}

void progress_begin(void)
{
    const char *terminal = getenv("TERM");
    bool on = isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
    pthread_mutex_lock(&progress.lock);
    progress.on = on;
    progress.paused = false;
    progress.begun = now();
    progress.done = progress.total = 0;
    snprintf(progress.doing, sizeof progress.doing, "starting");
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
        end_units();
        snprintf(progress.doing, sizeof progress.doing, "preparing %s", event->library);
        progress.paused = false;
        break;
    case KILN_EVENT_UNIT_STARTED:
        begin_unit(unit);
        progress.total = event->total;
        progress.paused = false;
        break;
    case KILN_EVENT_UNIT_FINISHED:
        end_unit(unit);
        progress.done = event->done;
        progress.total = event->total;
        break;
    case KILN_EVENT_LINK_STARTED:
        end_units();
        snprintf(progress.doing, sizeof progress.doing, "linking %s", event->library);
        progress.paused = false;
        break;
    case KILN_EVENT_LOOKUP_HIT:
    case KILN_EVENT_LINK_FINISHED:
        erase();
        progress.paused = true;
        break;
    default:
        break;
    }
    pthread_mutex_unlock(&progress.lock);
}

/* As much of the end of what is being done as fits into `room` columns: the end of a path says more
 * than its start. Bytes that could steer the terminal become '?'. */
static void fit_doing(size_t room, char fitted[MAX_LINE])
{
    const char *doing =
        progress.unit_count > 0 ? progress.units[progress.unit_count - 1] : progress.doing;
    size_t length = strlen(doing);
    if (room > MAX_LINE - 1)
        room = MAX_LINE - 1;
    const char *from = doing + (length > room ? length - room : 0);
    while (length > room && ((unsigned char)*from & 0xc0) == 0x80)
        from++; /* not in the middle of a character */
    char *to = fitted;
    for (; *from != '\0'; from++)
        *to++ = (unsigned char)*from < ' ' || *from == 0x7f ? '?' : *from;
    *to = '\0';
}

static void format_clock(double elapsed, char *text, size_t capacity)
{
    if (elapsed < 60)
        snprintf(text, capacity, "%.1f s", elapsed);
    else
        snprintf(text, capacity, "%ld:%02ld", (long)elapsed / 60, (long)elapsed % 60);
}

/* Write the line as it is to be, of at most width - 1 columns, so that no terminal wraps it. */
static void draw(double elapsed, size_t width)
{
    char text[MAX_LINE * 2], doing[MAX_LINE], clock[32], count[32] = "";
    if (progress.total > 0)
        snprintf(count, sizeof count, "[%u/%u] ", progress.done, progress.total);
    format_clock(elapsed, clock, sizeof clock);
    size_t frame = strlen(count) + strlen("  ") + strlen(clock) + 1;
    fit_doing(width > frame ? width - frame : 0, doing);
    int size = snprintf(text, sizeof text, ERASE_LINE "%s%s  %s", count, doing, clock);
    if (!progress.drawn)
        listen();
    put(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    progress.drawn = true;
}

void progress_tick(void)
{
    pthread_mutex_lock(&progress.lock);
    double elapsed = now() - progress.begun;
    if (progress.on && !progress.paused && elapsed >= SHOWN_AFTER_SECONDS)
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
    end_units();
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
