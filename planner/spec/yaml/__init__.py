"""From the bytes of an authored file to values that know where they are written, and to the models of what authors may write."""
