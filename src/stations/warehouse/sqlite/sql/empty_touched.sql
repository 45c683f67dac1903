DELETE FROM temp.{touched}
