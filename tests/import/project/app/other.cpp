int other()
{
    return static_cast<int>(std::string("other").size());
}
