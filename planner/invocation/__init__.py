"""What commands are made of: what was selected, where results are, the service reached, a change set prepared, votes asked for,
reports handed out. One module for each; all of the world outside comes in through `shell.Shell`."""
