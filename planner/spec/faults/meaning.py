"""Rules of what a plan means: names, libraries, scenarios."""

from __future__ import annotations

from planner.spec.faults.rule import Rule

REFERENCES = (
    Rule(
        "unknown-target",
        "no such target",
        "The alias is neither in the plan's targets nor in the chosen environment of planner.yaml, so that "
        "nobody knows whom to call. Correct it, or define it there.",
    ),
    Rule(
        "target-conflict",
        "target is defined in two places",
        "The plan and the chosen environment both say what this alias is, and not the same. planner does not choose "
        "between them, because the wrong one would be called. To take the environment's, only list the alias in the "
        "plan: targets: [alias]. To take the plan's, remove the alias from the environment, or give it another name.",
    ),
    Rule(
        "environment-needed",
        "target needs an environment",
        "The plan lists aliases, and what they stand for is in an environment of planner.yaml. Choose one "
        "with --environment, or write what to call into the plan itself.",
    ),
    Rule(
        "target-not-allowed",
        "target is not allowed by the project",
        "planner.yaml's policy.allowed_targets lists what may be called, and this target is not among it. "
        "Call another one, or have the policy changed by whoever owns it: on a pull request it is read from "
        "the base branch.",
    ),
    Rule(
        "duplicate-plan",
        "two plans have one name",
        "Plans loaded together must differ in name: every case id begins with it, and results are stored by "
        "case id. Rename one; often it was copied from the other.",
    ),
    Rule(
        "duplicate-id",
        "two expectations have one id",
        "Results speak of expectations by id, so ids are unique within a case, defaults included. Rename one, "
        "or leave the id out: it is then made from the kind of check.",
    ),
    Rule(
        "duplicate-item",
        "item is listed twice",
        "Listing the same thing twice would call it twice, or means that another was intended. Remove it, or "
        "correct it; runs repeats a call.",
    ),
    Rule(
        "colliding-case-id",
        "two cases have one case id",
        'Results are stored by case id. Two values that are written alike in it (17 and "17") or an include '
        "that repeats a case cannot be told apart. Change one or remove it.",
    ),
)

LIBRARIES = (
    Rule(
        "not-a-library",
        "imported file is not a library",
        "A plan imports libraries: files with kind: library. Plans are not imported, so that each stands for itself: "
        "move what they share into a library, and import that.",
    ),
    Rule(
        "nested-library",
        "library imports a library",
        "There is one level of imports, so that a reader finds what a plan uses one step away, and no library can "
        "import itself in a circle. Remove the import from the library; a plan may import both.",
    ),
    Rule(
        "misplaced-use",
        "use in the wrong place",
        "use stands in a plan, in two places: as an item of expect, and in the place of an axis's values. It cannot "
        "stand in a library, nor inside another expectation such as not or all_of: write the expectation itself "
        "there.",
    ),
    Rule(
        "import-conflict",
        "name is defined in two places",
        "What a plan imports joins what it defines itself, and a name can mean one thing only. planner does not "
        "choose between two definitions: rename one, or take it out.",
    ),
    Rule(
        "unknown-use",
        "no import has this name",
        "use names something that a library defines, and the plan must import that library: expectations where "
        "expectations are listed, axes among axes. Correct the name, or import the library that has it.",
    ),
    Rule(
        "unused-import",
        "import is not used",
        "Nothing of this library is used by the plan. Remove the import, or use what was meant.",
    ),
)

SCENARIOS = (
    Rule(
        "no-scenarios",
        "plan has no scenario",
        "A plan without scenarios tests nothing, and a green result of it would mislead. Write a scenario, or "
        "remove the file.",
    ),
    Rule(
        "no-targets",
        "nothing to call",
        "A scenario needs at least one target, for there is nobody to call otherwise. Define what to call "
        "under targets; a scenario without targets of its own calls all of them.",
    ),
    Rule(
        "no-expectations",
        "scenario expects nothing",
        "A call that nothing is expected of costs money and can only pass. Add an expectation to the scenario "
        "or to defaults.expect.",
    ),
    Rule(
        "no-prompt",
        "scenario has no prompt",
        "The prompt tells the caller what to do: write prompt, or prompt_file for a longer one.",
    ),
    Rule(
        "two-prompts",
        "prompt and prompt_file together",
        "A scenario has one prompt, written in the plan or read from a file; of two, nobody could tell which the "
        "caller is to follow. Keep one.",
    ),
    Rule(
        "empty-prompt",
        "prompt is empty",
        "A caller without instructions would improvise, at your cost. Write what the caller does; where a "
        "template renders to nothing, look at its conditions.",
    ),
    Rule(
        "unknown-check",
        "no such check",
        "Each expectation names a kind of check in its check key, and there is none of this name. `planner "
        "explain checks` lists them.",
    ),
    Rule(
        "bad-expectation",
        "expectation cannot be used",
        "The fields of this check contradict each other or leave nothing to check, so that it would always pass or "
        "never; or one of them cannot be read. The message says what is missing, too much or wrong.",
    ),
    Rule(
        "literal-pattern",
        "phrase looks like a regular expression",
        "Phrases are compared word by word, so that what has a meaning in a regular expression is looked for as it is written, or not at all: never_says "
        "with such a phrase would hold whatever is said. Write a regular expression as matches, without slashes around it.",
    ),
    Rule(
        "near-miss",
        "word is nearly a known one",
        "The service may use words that are not known here, so that none is refused; but one that is nearly a known word is mostly a typing mistake, and "
        "an expectation would fail on every call, or a rate apply to none. Correct it, or leave it if the service really says so.",
    ),
    Rule(
        "doubtful-votes",
        "votes that hardly mean what they say",
        "An even number of votes can tie, which decides nothing, and a threshold of half or less lets a rubric hold although as many votes say that it does not. "
        "Ask for an odd number, or set a threshold above 0.5.",
    ),
    Rule(
        "rounded-rate",
        "pass rate asks for one run more than it seems",
        "A rate is compared exactly: two of three runs are 0.666…, less than 0.67, so that min_pass_rate: 0.67 asks for three of three. "
        "Round down for the number of runs that is meant; `planner show` tells how many of a case's runs have to pass.",
    ),
    Rule(
        "idle-rate",
        "pass rate without effect",
        "An expectation with a min_pass_rate of its own may fail in some runs. One that is critical fails the case in whichever run it fails, and a "
        "warning fails none, so that a rate beside them means nothing. Leave out the one or the other.",
    ),
    Rule(
        "judge-not-configured",
        "no language model to ask",
        "The check judge asks a language model, which planner.yaml names under judge: its address, its name and what "
        "a vote costs. Without it calls would be paid for that nobody could judge, so that `planner run` refuses. Add "
        "judge to planner.yaml. With --sandbox the calls are free: answers recorded in the world count, and what they leave open is undecided.",
    ),
    Rule(
        "contradiction",
        "two parts contradict each other",
        "What the one asks for, the other forbids: two expectations that no call can satisfy together fail every "
        "call, at your cost, and a case cannot be both included and excluded. Only what is certain is told. Take one "
        "of the two out, or change it so that both can hold.",
    ),
    Rule(
        "cannot-fail",
        "scenario cannot fail",
        "All its expectations have the severity warning, or need to hold in no run, so that its calls cost money and can only pass. "
        "Give one of them the severity error, or a min_pass_rate above 0.",
    ),
    Rule(
        "unused-target",
        "target is called by no scenario",
        "Every scenario names other targets. Remove it, name it where it should be called, or correct it if it is mistyped here: a reader expects that what is listed is tested.",
    ),
    Rule(
        "over-budget",
        "plan costs more than it may",
        "Each call is billed at least one started minute, at twice the product's rate. Where planner.yaml tells the rates, the least "
        "that a whole plan can cost is known before anybody is called; if that is more than the budget of the plan, or than "
        "policy.max_cost_cents, a run of all of it would stop in the middle. Raise the limit, or have fewer runs or cases. Where no rate "
        "is known, nothing is said.",
    ),
    Rule(
        "too-many-calls",
        "plan makes more calls than it may",
        "policy.max_calls limits the calls of one invocation, retries included (10,000, where planner.yaml says nothing), so that all of the plan would "
        "be refused. Have fewer runs, retries or cases, call part of it with --select, or have the policy changed by whoever owns it.",
    ),
    Rule(
        "bad-regex",
        "regular expression is not valid",
        "Patterns are RE2, which takes linear time whatever the text, and therefore has no lookaround and no "
        "backreferences. Where a character such as ( or . is meant itself, write a backslash before it. $ is the end of the text and ^ its start: "
        "$5 matches nothing, never_says with it would hold whatever is said; \\$5 is the price.",
    ),
    Rule(
        "quarantine-passed",
        "quarantine has ended",
        "A quarantine keeps known failures from counting for a while. After its last day (UTC) they count again: remove it when the fault is mended, or give it a new day, so that somebody looks again.",
    ),
)
