extern "C" {
extern int counter;
int version();
}

namespace library
{
extern thread_local int per_thread;
int step();
} // namespace library

extern "C" int count()
{
    library::per_thread += library::step();
    return counter += library::step();
}

extern "C" int report()
{
    return library::per_thread * 100 + counter * 10 + version();
}
