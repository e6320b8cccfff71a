// window.cpp - the demo's window: lays out what SQLite answered with Dear ImGui, behind a C
// interface.
//
// Loaded from source, as Dear ImGui is. Knows no graphics system: hands out the triangles that
// ImGui made. One window at a time, one thread.
#include "demo.h"

#include <imgui.h>

#include <cstdlib>
#include <cstring>

namespace
{

void place(float x, float y, float width, float height)
{
    ImGui::SetNextWindowPos(ImVec2(x, y));
    ImGui::SetNextWindowSize(ImVec2(width, height));
}

void show_planets(const demo_table &table)
{
    constexpr ImGuiTableFlags flags =
        ImGuiTableFlags_Borders | ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingStretchProp;
    if (!ImGui::BeginTable("planets", int(table.column_count), flags))
        return;
    for (size_t column = 0; column < table.column_count; column++)
        ImGui::TableSetupColumn(table.names[column]);
    ImGui::TableHeadersRow();
    for (size_t row = 0; row < table.row_count; row++) {
        ImGui::TableNextRow();
        for (size_t column = 0; column < table.column_count; column++) {
            ImGui::TableNextColumn();
            ImGui::TextUnformatted(table.cells[row][column]);
        }
    }
    ImGui::EndTable();
}

void show_wave(const demo_table &table)
{
    float values[DEMO_ROWS];
    for (size_t row = 0; row < table.row_count; row++)
        values[row] = std::strtof(table.cells[row][0], nullptr);
    ImGui::PlotLines("##wave", values, int(table.row_count), 0, "sin(x) * exp(-x / 8), from SQL",
                     -1.1f, 1.1f, ImVec2(ImGui::GetContentRegionAvail().x, 110));
}

void show_timings(const demo_content &content)
{
    for (size_t i = 0; i < content.timing_count; i++) {
        const demo_timing &timing = content.timings[i];
        ImGui::Bullet();
        ImGui::TextColored(timing.hit ? ImVec4(0.4f, 0.9f, 0.5f, 1) : ImVec4(1, 0.75f, 0.3f, 1),
                           "%-12s %10.2f ms  %s", timing.library, timing.seconds * 1e3,
                           timing.hit ? "from the cache" : "compiled");
    }
}

void show_report(const demo_content &content)
{
    if (ImGui::Begin("Loaded from source")) {
        ImGui::Text("SQLite %s answers, Dear ImGui %s draws", content.sqlite_version,
                    ImGui::GetVersion());
        ImGui::Separator();
        if (ImGui::CollapsingHeader("Planets", ImGuiTreeNodeFlags_DefaultOpen))
            show_planets(*content.planets);
        if (ImGui::CollapsingHeader("A damped wave", ImGuiTreeNodeFlags_DefaultOpen))
            show_wave(*content.wave);
        if (ImGui::CollapsingHeader("Time to load", ImGuiTreeNodeFlags_DefaultOpen))
            show_timings(content);
    }
    ImGui::End();
}

void show_widgets()
{
    float color[3] = {0.26f, 0.59f, 0.98f};
    float angle = 0.8f;
    int count = 7;
    bool is_on = true;

    if (ImGui::Begin("Widgets")) {
        ImGui::Checkbox("loaded from source", &is_on);
        ImGui::SliderAngle("angle", &angle);
        ImGui::SliderInt("count", &count, 0, 10);
        ImGui::ProgressBar(0.62f);
        ImGui::SetNextItemWidth(150);
        ImGui::ColorPicker3("color", color,
                            ImGuiColorEditFlags_PickerHueWheel | ImGuiColorEditFlags_NoInputs);
    }
    ImGui::End();
}

void show_frame(const demo_content &content, float width, float height)
{
    constexpr float gap = 16;
    float left = width * 0.57f, upper = height * 0.52f;

    ImGui::NewFrame();
    place(gap, gap, left - 1.5f * gap, height - 2 * gap);
    show_report(content);
    place(left + gap / 2, upper + gap / 2, width - left - 1.5f * gap, height - upper - 1.5f * gap);
    show_widgets();
    // ImGui's own demo places itself, so it is moved afterwards.
    ImGui::ShowDemoWindow();
    ImGui::SetWindowPos("Dear ImGui Demo", ImVec2(left + gap / 2, gap));
    ImGui::SetWindowSize("Dear ImGui Demo", ImVec2(width - left - 1.5f * gap, upper - 1.5f * gap));
    ImGui::Render();
}

bool reserve(const ImDrawData &data, demo_mesh *mesh)
{
    size_t commands = 0;
    for (int i = 0; i < data.CmdListsCount; i++)
        commands += size_t(data.CmdLists[i]->CmdBuffer.Size);
    mesh->vertices = static_cast<demo_vertex *>(
        std::calloc(size_t(data.TotalVtxCount) + 1, sizeof *mesh->vertices));
    mesh->indices =
        static_cast<uint32_t *>(std::calloc(size_t(data.TotalIdxCount) + 1, sizeof *mesh->indices));
    mesh->commands = static_cast<demo_command *>(std::calloc(commands + 1, sizeof *mesh->commands));
    return mesh->vertices && mesh->indices && mesh->commands;
}

// Appends one draw list. Indices become relative to the whole mesh, so that one array serves all
// lists.
void append(const ImDrawList &list, demo_mesh *mesh)
{
    static_assert(sizeof(ImDrawVert) == sizeof(demo_vertex), "demo_vertex mirrors ImDrawVert");
    for (const ImDrawCmd &from : list.CmdBuffer) {
        demo_command &to = mesh->commands[mesh->command_count++];
        to = {from.ClipRect.x,
              from.ClipRect.y,
              from.ClipRect.z,
              from.ClipRect.w,
              uint32_t(mesh->index_count),
              from.ElemCount};
        for (unsigned k = 0; k < from.ElemCount; k++)
            mesh->indices[mesh->index_count++] = uint32_t(mesh->vertex_count) + from.VtxOffset +
                                                 list.IdxBuffer[int(from.IdxOffset + k)];
    }
    std::memcpy(mesh->vertices + mesh->vertex_count, list.VtxBuffer.Data,
                size_t(list.VtxBuffer.size_in_bytes()));
    mesh->vertex_count += size_t(list.VtxBuffer.Size);
}

} // namespace

bool window_draw(const demo_content *content, int width, int height, demo_mesh *mesh)
{
    unsigned char *texture = nullptr;
    *mesh = {};
    ImGui::CreateContext();
    ImGuiIO &io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.DisplaySize = ImVec2(float(width), float(height));
    io.Fonts->GetTexDataAsRGBA32(&texture, &mesh->texture_width, &mesh->texture_height);
    mesh->texture = reinterpret_cast<const uint32_t *>(texture);

    // A window learns the size of its contents in one frame and uses it in the next.
    for (int frame = 0; frame < 3; frame++) {
        io.DeltaTime = 1.0f / 60;
        show_frame(*content, float(width), float(height));
    }
    const ImDrawData *data = ImGui::GetDrawData();
    if (!reserve(*data, mesh)) {
        window_close(mesh);
        return false;
    }
    for (int i = 0; i < data->CmdListsCount; i++)
        append(*data->CmdLists[i], mesh);
    return true;
}

void window_close(demo_mesh *mesh)
{
    std::free(mesh->vertices);
    std::free(mesh->indices);
    std::free(mesh->commands);
    *mesh = {};
    ImGui::DestroyContext();
}
