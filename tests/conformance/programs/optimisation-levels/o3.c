//kiln: -O3 -ffunction-sections -fdata-sections -fno-plt
static int factors[] = {1, 2, 3, 4};

int at_o3(int n)
{
    int total = 0;
    for (int i = 0; i < n; i++)
        total += factors[i & 3];
    return total;
}
