"""Text as people say it: numbers, money, percentages, dates, times and codes, alike however they are said or
written."""
