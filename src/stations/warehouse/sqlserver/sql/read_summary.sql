SELECT {columns} FROM {table} ORDER BY {keys};
