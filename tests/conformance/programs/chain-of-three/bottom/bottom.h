int bottom_value(void);
