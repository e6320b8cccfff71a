#pragma once
#include <string>
#define FROM_PCH 1000
