"has".{measure} IS NOT "should".{measure}
