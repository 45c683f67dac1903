SELECT {columns} FROM main.{table} ORDER BY {keys}
