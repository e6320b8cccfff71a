target_link_options(${target} PRIVATE -rdynamic)
