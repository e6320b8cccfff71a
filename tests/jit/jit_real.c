/* jit_real.c - libraries that people use: SQLite's object from memory, lazily and from bitcode; Debian's
 * archive of Dear ImGui. Skipped where they are not there (scripts/inputs, libimgui-dev). */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct sqlite3 sqlite3;

static int take_sum(void *sum, int count, char **values, char **names)
{
    (void)names;
    *(long *)sum = count == 1 && values[0] ? atol(values[0]) : -1;
    return 0;
}

/* Make a table, fill it, ask: with every part of SQLite that takes. */
static void use_sqlite(kiln_jit_dylib *dylib)
{
    kiln_error *error;
    char *words = NULL;
    sqlite3 *database;
    long sum = 0;
    int (*open)(const char *, sqlite3 **) =
        (int (*)(const char *, sqlite3 **))kiln_jit_function(dylib, "sqlite3_open", &error);
    if (!open)
        support_fail(__FILE__, __LINE__, "%s", kiln_error_rendered(error));
    int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **) =
        (int (*)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                 char **))kiln_jit_function(dylib, "sqlite3_exec", &error);
    int (*shut)(sqlite3 *) = (int (*)(sqlite3 *))kiln_jit_function(dylib, "sqlite3_close", &error);
    CHECK(exec && shut);
    CHECK_INT(open(":memory:", &database), 0);
    CHECK_INT(exec(database,
                   "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b);"
                   "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000)"
                   "  INSERT INTO t SELECT x, 'row ' || (x * 7919 % 1000) FROM n;"
                   "DELETE FROM t WHERE b LIKE '%7';"
                   "SELECT sum(a) FROM t ORDER BY b;",
                   take_sum, &sum, &words),
              0);
    CHECK_INT((int)sum, 450700);
    CHECK_INT(shut(database), 0);
}

static void load_sqlite(kiln_output_kind kind, const char *level)
{
    const char *inputs = getenv("KILN_INPUTS");
    const char *path = text_of("%s/sqlite/sqlite3.c", inputs ? inputs : "");
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    if (access(path, R_OK) != 0)
        skip("there is no SQLite in KILN_INPUTS: run scripts/inputs");
    live_begin(&l);
    size_t before = kiln_jit_memory_bytes(l.jit);
    made input = live_compile(&l, kind, "sqlite3.c", read_file(path, NULL),
                              (const char *const[]){level, "-w", NULL});
    kiln_status status =
        kind == KILN_OUTPUT_RAW_BITCODE
            ? kiln_jit_add_lazy(l.dylib, "sqlite", input.bytes, input.size, level, &code, &error)
            : kiln_jit_add_bytes(l.dylib, "sqlite", input.bytes, input.size, &code, &error);
    CHECK_STATUS(status, KILN_OK, &error);
    use_sqlite(l.dylib);
    use_sqlite(l.dylib);
    CHECK(kiln_jit_memory_bytes(l.jit) > before + 100000);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
    live_end(&l);
}

TEST(sqlite_object_from_memory)
{
    load_sqlite(KILN_OUTPUT_OBJECT, "-O1");
}

TEST(sqlite_from_bitcode)
{
    load_sqlite(KILN_OUTPUT_BITCODE, "-O1");
}

TEST(sqlite_lazily)
{
    load_sqlite(KILN_OUTPUT_RAW_BITCODE, "-O1");
}

static const char frame[] = "#include <imgui/imgui.h>\n"
                            "extern \"C\" int frame(void)\n"
                            "{\n"
                            "    ImGui::CreateContext();\n"
                            "    ImGuiIO &io = ImGui::GetIO();\n"
                            "    unsigned char *pixels;\n"
                            "    int width, height, vertices = 0;\n"
                            "    io.DisplaySize = ImVec2(640, 480);\n"
                            "    io.IniFilename = nullptr;\n"
                            "    io.Fonts->AddFontDefault();\n"
                            "    io.Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);\n"
                            "    for (int i = 0; i < 3; i++) {\n"
                            "        ImGui::NewFrame();\n"
                            "        ImGui::ShowDemoWindow();\n"
                            "        ImGui::Text(\"frame %d\", i);\n"
                            "        ImGui::Render();\n"
                            "        vertices = ImGui::GetDrawData()->TotalVtxCount;\n"
                            "    }\n"
                            "    ImGui::DestroyContext();\n"
                            "    return vertices;\n"
                            "}\n";

/* Members come as they are needed, the back ends for SDL and its like do not; stb, which Debian keeps
 * apart, is found on the library path. */
TEST(imgui_from_an_archive)
{
    const char *archive = getenv("KILN_LIBIMGUI");
    char folder[4096];
    live l;
    kiln_error *error;
    kiln_jit_code *code, *user;
    if (!archive || access(archive, R_OK) != 0)
        skip("there is no libimgui.a: install libimgui-dev");
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(archive, '/') - archive), archive);
    live_begin(&l);
    CHECK_STATUS(
        kiln_jit_add_library_path(l.dylib, (const char *const[]){folder, NULL}, NULL, &error),
        KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_file(l.dylib, archive, &code, &error), KILN_OK, &error);
    user = live_add(&l, KILN_OUTPUT_OBJECT, "frame.cpp", frame);
    int vertices = live_int(&l, "frame");
    CHECK(vertices > 100);
    CHECK_INT(live_int(&l, "frame"), vertices);
    CHECK_STATUS(kiln_jit_remove(user, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    live_end(&l);
}
