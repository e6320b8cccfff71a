/* test_compiler_plan.c - locks, packages, comments in sources. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static Kiln__Wire__PlanReply *plan_sources(job *lead, const char *const *sources, size_t count)
{
    ProtobufCBinaryData list[8];
    Kiln__Wire__Plan plan = KILN__WIRE__PLAN__INIT;
    for (size_t i = 0; i < count; i++)
        list[i] = bytes_of(sources[i]);
    plan.scan_sources = list;
    plan.n_scan_sources = count;
    return job_plan(lead, &plan, NULL, 0);
}

static Kiln__Wire__PlanReply *plan_packages(job *lead, char **packages, size_t count)
{
    Kiln__Wire__Plan plan = KILN__WIRE__PLAN__INIT;
    plan.packages = packages;
    plan.n_packages = count;
    return job_plan(lead, &plan, NULL, 0);
}

static void comments_give_arguments(void **state)
{
    (void)state;
    const char *const sources[] = {
        write_file("plain.c", "int x;\n"),
        write_file("words.c", "//kiln: -O3 -DNAME='a b' -DQUOTE=\\\"x\\\" \"-DTWO=c d\"\nint x;\n"),
        write_file(
            "script.c",
            "#!/usr/bin/env -S kiln run\n// kiln: -g --pkg kiln-test-one --pkg=kiln-test-two\r\n"),
        write_file("marked.c", "\xef\xbb\xbf//kiln: -DMARKED\nint x;\n"),
    };
    job lead;
    char variable[600];
    snprintf(variable, sizeof variable, "PKG_CONFIG_PATH=%s", test_directory());
    const char *const environment[] = {variable, NULL};
    write_file("kiln-test-one.pc", "Name: one\nDescription: d\nVersion: 1.5\nCflags: -DONE "
                                   "-I/opt/one\nLibs: -L/opt/one -lone\n");
    write_file("kiln-test-two.pc", "Name: two\nDescription: d\nVersion: 2\nRequires: "
                                   "kiln-test-one\nCflags: -DTWO\nLibs: -ltwo\n");
    job_begin(&zygote, &lead, &(job_options){.environment = environment});
    Kiln__Wire__PlanReply *reply = plan_sources(&lead, sources, 4);
    assert_true(reply->ok);
    assert_int_equal(reply->n_sources, 4);
    assert_int_equal(reply->sources[0]->n_arguments, 0);
    assert_int_equal(reply->sources[1]->n_arguments, 4);
    assert_true(bytes_are(reply->sources[1]->arguments[0], "-O3"));
    assert_true(bytes_are(reply->sources[1]->arguments[1], "-DNAME=a b"));
    assert_true(bytes_are(reply->sources[1]->arguments[2], "-DQUOTE=\"x\""));
    assert_true(bytes_are(reply->sources[1]->arguments[3], "-DTWO=c d"));
    assert_int_equal(reply->sources[2]->n_arguments, 1);
    assert_int_equal(reply->sources[2]->n_packages, 2);
    assert_string_equal(reply->sources[2]->packages[1], "kiln-test-two");
    assert_int_equal(reply->sources[3]->n_arguments, 1);
    assert_true(bytes_are(reply->sources[3]->arguments[0], "-DMARKED"));
    assert_non_null(
        find_input(reply->inputs, reply->n_inputs, sources[1], KILN__WIRE__INPUT__KIND__FILE));
    assert_non_null(find_input(reply->inputs, reply->n_inputs, in_directory("kiln-test-two.pc"),
                               KILN__WIRE__INPUT__KIND__FILE));
    bool defines_one = false, links_two = false;
    for (size_t i = 0; i < reply->n_package_compile_arguments; i++)
        defines_one |= bytes_are(reply->package_compile_arguments[i], "-DONE");
    for (size_t i = 0; i < reply->n_package_link_arguments; i++)
        links_two |= bytes_are(reply->package_link_arguments[i], "-ltwo");
    assert_true(defines_one);
    assert_true(links_two);
    kiln__wire__plan_reply__free_unpacked(reply, NULL);
    job_end(&lead);
}

static void a_comment_without_a_name_is_an_error(void **state)
{
    (void)state;
    const char *const sources[] = {write_file("bad.c", "//kiln: --pkg\n")};
    job lead;
    job_begin(&zygote, &lead, NULL);
    Kiln__Wire__PlanReply *reply = plan_sources(&lead, sources, 1);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "needs the name of a package"));
    kiln__wire__plan_reply__free_unpacked(reply, NULL);
    job_end(&lead);
}

static void missing_packages_are_named(void **state)
{
    (void)state;
    job lead;
    char variable[600];
    snprintf(variable, sizeof variable, "PKG_CONFIG_PATH=%s", test_directory());
    const char *const environment[] = {variable, NULL};
    char *packages[] = {"kiln-no-such-package", "kiln-test-one >= 9"};
    job_begin(&zygote, &lead, &(job_options){.environment = environment});
    Kiln__Wire__PlanReply *reply = plan_packages(&lead, packages, 2);
    assert_false(reply->ok);
    assert_int_equal(reply->diagnostics->n_diagnostics, 2);
    assert_true(has_message(reply->diagnostics, "'kiln-no-such-package' cannot be used"));
    assert_false(has_message(reply->diagnostics, "virtual"));
    assert_true(has_message(reply->diagnostics, "'kiln-test-one >= 9' cannot be used"));
    assert_non_null(find_input(reply->inputs, reply->n_inputs,
                               in_directory("kiln-no-such-package.pc"),
                               KILN__WIRE__INPUT__KIND__ABSENT));
    kiln__wire__plan_reply__free_unpacked(reply, NULL);
    job_end(&lead);
}

static void the_lock_is_held_until_the_job_ends(void **state)
{
    (void)state;
    const char *path = write_file("lock", "");
    int ours = open(path, O_RDWR | O_CLOEXEC), theirs = open(path, O_RDWR | O_CLOEXEC);
    Kiln__Wire__Plan plan = KILN__WIRE__PLAN__INIT;
    plan.has_lock = true;
    job lead;
    job_begin(&zygote, &lead, NULL);
    Kiln__Wire__PlanReply *reply = job_plan(&lead, &plan, &theirs, 1);
    assert_true(reply->ok);
    assert_false(reply->waited);
    kiln__wire__plan_reply__free_unpacked(reply, NULL);
    close(theirs);
    assert_int_equal(flock(ours, LOCK_EX | LOCK_NB), -1);
    job_end(&lead);
    assert_int_equal(flock(ours, LOCK_EX), 0); /* returns once the job is gone */

    /* Now it is the job that has to wait, and it says so. */
    theirs = open(path, O_RDWR | O_CLOEXEC);
    job_begin(&zygote, &lead, NULL);
    job_send(&lead, WIRE_PLAN, &plan.base, &theirs, 1);
    struct pollfd reply_arrives = {lead.socket, POLLIN, 0};
    assert_int_equal(poll(&reply_arrives, 1, 200), 0);
    flock(ours, LOCK_UN);
    wire_frame frame;
    assert_int_equal(job_receive(&lead, &frame), WIRE_OK);
    assert_int_equal(frame.type, WIRE_PLAN_REPLY);
    reply = kiln__wire__plan_reply__unpack(NULL, frame.size, frame.body);
    assert_true(reply->ok && reply->waited);
    kiln__wire__plan_reply__free_unpacked(reply, NULL);
    wire_frame_destroy(&frame);
    job_end(&lead);
    close(ours);
    close(theirs);
}

/* A host that is stopped in the middle of a build keeps its lock. */
static void nobody_waits_for_a_lock_without_end(void **state)
{
    (void)state;
    const char *path = write_file("held", "");
    int ours = open(path, O_RDWR | O_CLOEXEC), theirs = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(ours, LOCK_EX), 0);
    Kiln__Wire__Plan plan = KILN__WIRE__PLAN__INIT;
    plan.has_lock = true;
    job lead;
    job_begin(&zygote, &lead, &(job_options){.seconds = 1});
    Kiln__Wire__PlanReply *reply = job_plan(&lead, &plan, &theirs, 1);
    assert_true(reply->ok && reply->waited);
    kiln__wire__plan_reply__free_unpacked(reply, NULL);
    job_end(&lead);
    close(ours);
    close(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_give_arguments),
        cmocka_unit_test(a_comment_without_a_name_is_an_error),
        cmocka_unit_test(missing_packages_are_named),
        cmocka_unit_test(the_lock_is_held_until_the_job_ends),
        cmocka_unit_test(nobody_waits_for_a_lock_without_end),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
