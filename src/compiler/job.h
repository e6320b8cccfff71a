// job.h - what a job's process does: requests in, replies out.
#pragma once

namespace kiln
{

// Serve one job connection until the peer closes it. Takes the socket over. Returns the process's
// exit status.
int run_job(int socket);

} // namespace kiln
