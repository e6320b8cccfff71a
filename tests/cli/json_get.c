/* json_get.c - reads a JSON text on standard input and prints what a JSON pointer ("/seconds/total") finds in it.
 *
 * Strings are printed as they are, everything else as JSON; "TYPE" as a second argument asks for the type's name instead. Exits 1 where the
 * text does not parse or has no such place. */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

int main(int argc, char **argv)
{
    static char text[1 << 22];
    struct json_object *found = NULL;
    size_t size = fread(text, 1, sizeof text - 1, stdin);
    struct json_object *root = json_tokener_parse(text);
    if (argc < 2 || size == 0 || root == NULL)
        return 1;
    if (argv[1][0] == '\0')
        found = root;
    else if (json_pointer_get(root, argv[1], &found) != 0)
        return 1;
    if (argc > 2 && strcmp(argv[2], "TYPE") == 0)
        puts(json_type_to_name(json_object_get_type(found)));
    else
        puts(found == NULL ? "null" : json_object_get_string(found));
    json_object_put(root);
    return 0;
}
