#define FROM_EXTRA 4
