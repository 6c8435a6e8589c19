"""Plans for the clinic that most tests of whole programs call."""

HOURS = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  saturday:
    prompt: |
      You are {{ name }}, calm. Ask when the clinic is open on Saturday.
    matrix:
      axes:
        name: [Ana, Bob]
    runs: 2
    expect:
      - {check: call, status: completed}
  cancel:
    prompt: |
      You are Dora Diaz, polite. Cancel your appointment of Monday.
    expect:
      - {check: duration, max_seconds: 600}
"""
"""Two scenarios: five calls of three cases."""

SATURDAY = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
"""
"""One call."""
