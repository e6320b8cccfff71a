/* plugin_api.h - the contract between the plugin host and its plugins. */
#ifndef PLUGIN_API_H
#define PLUGIN_API_H

#ifdef __cplusplus
extern "C" {
#endif

/* The host's. */
void host_log(const char *format, ...);

/* The plugin's. */
extern const char *plugin_name;
int plugin_start(int number);

#ifdef __cplusplus
}
#endif

#endif
