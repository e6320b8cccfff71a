//kiln: -std=c++20
// The parts of the standard library that live in libstdc++.so and need its static state: streams,
// regular expressions, locales, filesystem, random numbers, charconv, pmr, chrono.
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <locale>
#include <memory_resource>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

struct Grouped : std::numpunct<char> {
    char do_thousands_sep() const override
    {
        return '\'';
    }
    std::string do_grouping() const override
    {
        return "\3";
    }
};

extern "C" int run()
{
    std::ostringstream text;
    text << std::setw(6) << std::setfill('.') << 42 << ' ' << std::hex << std::showbase << 255
         << ' ' << std::boolalpha << true << ' ' << std::fixed << std::setprecision(3) << 3.14159;
    std::cout << text.str() << std::endl;

    text.str("");
    text.imbue(std::locale(std::locale::classic(), new Grouped));
    text << std::dec << 1234567;
    std::cout << text.str() << '\n';

    const std::regex date(R"((\d{4})-(\d{2})-(\d{2}))");
    std::smatch match;
    const std::string line = "on 2024-02-29, leap";
    if (std::regex_search(line, match, date))
        std::cout << match[1] << '/' << match[3] << ' ' << std::regex_replace(line, date, "[$2]")
                  << '\n';

    const fs::path directory = fs::temp_directory_path() / "kiln conformance std-library";
    fs::create_directories(directory / "a/b");
    std::ofstream(directory / "a/b/file.txt") << "one\ntwo\n";
    int files = 0;
    for (const auto &entry : fs::recursive_directory_iterator(directory))
        files += entry.is_regular_file();
    std::ifstream input(directory / "a/b/file.txt");
    std::string word;
    while (input >> word)
        std::cout << word << ' ';
    input.close();
    std::cout << files << ' ' << fs::remove_all(directory) << '\n';
    try {
        (void)fs::file_size(directory);
    } catch (const fs::filesystem_error &e) {
        std::cout << e.code().message() << '\n';
    }

    std::mt19937 generator(12345);
    std::cout << generator() << '\n';
    int parsed = 0;
    const char digits[] = "8675309x";
    auto [rest, code] = std::from_chars(digits, digits + 8, parsed);
    std::cout << parsed << *rest << (code == std::errc{}) << '\n';
    unsigned char room[1024];
    std::pmr::monotonic_buffer_resource pool(room, sizeof room, std::pmr::null_memory_resource());
    std::pmr::vector<int> numbers({1, 2, 3}, &pool);
    using namespace std::chrono;
    std::cout << numbers.size() << ' '
              << (sys_days{2024y / March / 1d} - sys_days{2024y / February / 1d}).count() << '\n';
    return 0;
}
