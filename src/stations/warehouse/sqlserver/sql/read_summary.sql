SELECT {columns} FROM {table};
