#pragma once
extern _Thread_local int shared_tls;
void add_to_shared_tls(int n);
