/* follow_up.c - see follow_up.h. */
#include "api/follow_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "api/load_calls.h"
#include "os/os.h"

/* An edit comes every few seconds where somebody tries something: then the lines can wait. And what
 * takes long is done less often, so that it takes a tenth of one processor's time at most. */
enum { pause_at_least_ms = 1000, pause_at_most_ms = 600000, pause_for_work = 10 };

bool follow_up_create(follow_up *follow_up, library_watch *watch, kiln_library *library,
                      const kiln_watch_options *options)
{
    *follow_up = (struct follow_up){
        .watch = watch, .library = library, .options = options, .pause_ms = pause_at_least_ms};
    follow_up->give_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    follow_up->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return follow_up->give_up >= 0 && follow_up->ended >= 0;
}

void follow_up_destroy(follow_up *follow_up)
{
    if (follow_up->give_up >= 0)
        close(follow_up->give_up);
    if (follow_up->ended >= 0)
        close(follow_up->ended);
}

void follow_up_note_edit(follow_up *follow_up)
{
    follow_up->is_due = true;
}

static bool is_wanted(const kiln_library *library)
{
    bool wanted = hot_is_stale(library->hot->hot);
    for (size_t i = 0; !wanted && i < library->dependency_count; i++)
        wanted = library->dependencies[i]->hot && is_wanted(library->dependencies[i]);
    return wanted;
}

int follow_up_delay_ms(follow_up *follow_up)
{
    if (follow_up->options->no_follow_up || follow_up->runs || !follow_up->is_due)
        return -1;
    if (is_wanted(follow_up->library))
        return follow_up->pause_ms;
    follow_up->is_due = false;
    return -1;
}

/* ---- the thread ---- */

static void *run(void *data)
{
    follow_up *own = data;
    const kiln_watch_options *options = own->options;
    const kiln_reload_options how = {.size = sizeof how,
                                     .accept_layouts = options->accept_layouts,
                                     .migrate = options->migrate,
                                     .migrate_data = options->migrate_data,
                                     .follow_up = true};
    kiln_error *error = NULL;
    kiln_reload *report = NULL;
    kiln_library *prepared = NULL;
    bool compiled = false;
    kiln_status status;
    if (options->publish_at_once)
        status = library_reload_quietly(own->library, &how, own->give_up, &report, &error);
    else
        status = library_prepare(own->library, own->watch, &how, own->give_up, &prepared, &compiled,
                                 &error);
    if (report && kiln_reload_changed(report))
        watch_tell(own->watch, report, NULL);
    if (status == KILN_PENDING)
        session_wake(own->library->session);
    else if (status != KILN_OK && status != KILN_CANCELLED)
        watch_tell(own->watch, NULL, error);
    /* One that has failed fails again: until the next edit it is not tried. */
    if (status == KILN_CANCELLED)
        own->is_due = true;
    kiln_reload_destroy(report);
    kiln_error_destroy(error);
    raise_flag(own->ended);
    return NULL;
}

static int64_t now_ms(void)
{
    return os_clock_steady_ns() / 1000000;
}

void follow_up_start(follow_up *follow_up)
{
    follow_up->is_due = false;
    lower_flag(follow_up->give_up);
    lower_flag(follow_up->ended);
    follow_up->began_ms = now_ms();
    follow_up->runs = start_quiet_thread(&follow_up->thread, run, follow_up) == 0;
}

int follow_up_descriptor(const follow_up *follow_up)
{
    return follow_up->runs ? follow_up->ended : -1;
}

void follow_up_stop(follow_up *follow_up)
{
    if (!follow_up->runs)
        return;
    raise_flag(follow_up->give_up);
    pthread_join(follow_up->thread, NULL);
    follow_up->runs = false;
    int64_t pause_ms = (now_ms() - follow_up->began_ms) * pause_for_work;
    follow_up->pause_ms = (int)(pause_ms < pause_at_least_ms  ? pause_at_least_ms
                                : pause_ms > pause_at_most_ms ? pause_at_most_ms
                                                              : pause_ms);
}
