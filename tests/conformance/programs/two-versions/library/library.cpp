extern "C" {
int counter;
int version()
{
    return VERSION;
}
int &counter_reference()
{
    return counter;
}
}

namespace library
{
thread_local int per_thread = VERSION * 1000;
int step()
{
    return VERSION;
}
} // namespace library
