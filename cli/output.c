/* output.c - standard output, and whether it took what was printed: see output.h.
 *
 * Standard output is not closed at the end, since code that was loaded may yet print at exit; closing a
 * copy of it tells as much. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kiln.h"
#include "message.h"

static int first_reason; /* an errno; 0 while all went well */

/* A stream that is closed becomes one that fails as a closed one does: /dev/null, opened for the other
 * direction. Else the next file that is opened, one of the cache, would get what is printed. */
void output_begin(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

bool output_flush(void)
{
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && first_reason == 0)
        first_reason = errno != 0 ? errno : EIO;
    return first_reason == 0;
}

bool output_finish(void)
{
    /* Some file systems tell only at a close that there is no room. */
    int copy = output_flush() ? dup(STDOUT_FILENO) : -1;
    if (copy >= 0 && close(copy) != 0)
        first_reason = errno;
    if (first_reason == 0)
        return true;
    message_failure(KILN_IO, "cannot write standard output: %s", strerror(first_reason));
    return false;
}
