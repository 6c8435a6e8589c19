"""What a step gives back to GitHub: the job summary, annotations and outputs.

`publish.publisher(...)` is the door: the composition root calls it with the environment and gets None outside of GitHub
Actions. Nothing here decides anything; the text of reports comes as strings.
"""
