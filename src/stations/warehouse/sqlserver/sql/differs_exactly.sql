([has].{measure} <> [should].{measure}
  OR ([has].{measure} IS NULL AND [should].{measure} IS NOT NULL)
  OR ([has].{measure} IS NOT NULL AND [should].{measure} IS NULL))
