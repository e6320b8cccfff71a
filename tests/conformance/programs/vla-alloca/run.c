/* Variable-length arrays, alloca, large frames that need probing, statement expressions, nested
 * initialisers. */
#include <alloca.h>
#include <stdio.h>
#include <string.h>

static int vla(int rows, int columns)
{
    int matrix[rows][columns], total = 0;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            matrix[r][c] = r * c;
    for (int r = 0; r < rows; r++)
        total += matrix[r][columns - 1];
    return total + (int)(sizeof matrix / sizeof(int));
}

static size_t with_alloca(size_t size)
{
    char *text = alloca(size + 1);
    memset(text, 'a', size);
    text[size] = '\0';
    return strlen(text);
}

static int large_frame(void)
{
    volatile char frame[1 << 20];
    frame[0] = 1;
    frame[sizeof frame - 1] = 2;
    return frame[0] + frame[sizeof frame - 1];
}

#define MAX(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) a_ = (a);                                                                    \
        __typeof__(b) b_ = (b);                                                                    \
        a_ > b_ ? a_ : b_;                                                                         \
    })

struct node {
    int values[4];
    struct {
        char name[8];
        struct node *next;
    };
};
static struct node second = {.values = {[2] = 5}, .name = "second"};
static struct node first = {.values = {1, [3] = 4}, .name = "first", .next = &second};

int run(void)
{
    printf("%d %zu %d %d\n", vla(10, 20), with_alloca(5000), large_frame(), MAX(3, 7));
    printf("%s %d -> %s %d\n", first.name, first.values[3], first.next->name,
           first.next->values[2]);
    return 0;
}
