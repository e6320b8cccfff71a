#define WHERE "disk"
