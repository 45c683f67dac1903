DELETE FROM temp.{incoming}
