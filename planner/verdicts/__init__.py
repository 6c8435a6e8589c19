"""What calls come to: each run judged, each case compared with its baseline, the whole with an outcome and an exit code."""
