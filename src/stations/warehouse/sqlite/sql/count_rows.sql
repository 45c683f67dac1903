SELECT COUNT(*) FROM main.{table}
