//kiln: -std=c++20
// Templates, lambdas, virtual and multiple inheritance, pointers to members, concepts, fold
// expressions, std::function, smart pointers, constant initialisation, user literals, placement and
// overloaded new.
#include <algorithm>
#include <any>
#include <array>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <std::integral... T> constexpr auto sum(T... values)
{
    return (values + ... + 0);
}
template <int N> struct Factorial {
    static constexpr long value = N * Factorial<N - 1>::value;
};
template <> struct Factorial<0> {
    static constexpr long value = 1;
};

struct Top {
    int id = 1;
    virtual ~Top() = default;
    virtual const char *name() const
    {
        return "top";
    }
};
struct Left : virtual Top {
    const char *name() const override
    {
        return "left";
    }
    int left = 2;
};
struct Right : virtual Top {
    int right = 3;
};
struct Bottom : Left, Right {
    const char *name() const override
    {
        return "bottom";
    }
};

struct Counted {
    static inline int live = 0;
    static inline std::size_t allocated = 0;
    Counted()
    {
        live++;
    }
    ~Counted()
    {
        live--;
    }
    static void *operator new(std::size_t size)
    {
        allocated += size;
        return std::malloc(size);
    }
    static void operator delete(void *p)
    {
        std::free(p);
    }
};

constinit std::array<int, 4> constants = {4, 3, 2, 1};
constexpr unsigned long long operator""_k(unsigned long long n)
{
    return n * 1000;
}

extern "C" int run()
{
    std::printf("%d %ld %llu\n", sum(1, 2, 3), Factorial<10>::value, 7_k);

    std::unique_ptr<Top> object = std::make_unique<Bottom>();
    auto *right = dynamic_cast<Right *>(object.get());
    auto *left = dynamic_cast<Left *>(right);
    std::printf("%s %d %d %s\n", object->name(), right->right, left->left, left->Left::name());
    int Right::*member = &Right::right;
    const char *(Top::*method)() const = &Top::name;
    std::printf("%d %s\n", right->*member, (object.get()->*method)());

    int base = 10;
    std::function<int(int)> add = [&base](int n) { return base + n; };
    base = 20;
    auto twice = [](auto f, auto x) { return f(f(x)); };
    std::printf("%d %d\n", add(1), twice(add, 1));

    std::sort(constants.begin(), constants.end());
    std::map<std::string, int> words{{"b", 2}, {"a", 1}};
    std::unordered_map<std::string, std::vector<int>> lists;
    lists["x"].assign(constants.begin(), constants.end());
    std::printf("%d %s %d\n", constants[0], words.begin()->first.c_str(),
                std::accumulate(lists["x"].begin(), lists["x"].end(), 0));

    std::variant<int, std::string> either = "text";
    std::optional<double> maybe;
    std::any anything = std::tuple(1, 'c');
    std::visit([](const auto &v) { std::printf("%zu ", sizeof v); }, either);
    std::printf("%s %d %d\n", std::get<std::string>(either).c_str(), maybe.has_value(),
                std::get<0>(std::any_cast<std::tuple<int, char>>(anything)));

    {
        std::shared_ptr<Counted> shared(new Counted);
        std::weak_ptr<Counted> weak = shared;
        alignas(Counted) unsigned char room[sizeof(Counted)];
        auto *placed = ::new (room) Counted;
        std::printf("%d %ld %s\n", Counted::live, shared.use_count(),
                    weak.expired() ? "expired" : "alive");
        placed->~Counted();
    }
    std::printf("%d %zu\n", Counted::live, Counted::allocated);
    return 0;
}
