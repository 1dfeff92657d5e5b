"""Loads scenarios; with a seed, with other names, addresses and numbers of mails than those of the samples.

A scenario is its source: names and addresses are replaced in it as text, and in cast.py and letters.py, before they run. So a
scenario need not know, and nothing that was tuned to a sample's names fits here.
"""

import random
import re
import sys
import types
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAYS = {"access"}     # a key word of Sendmail's configuration, too
DOMAINS = ("aurora basalt cobalt dahlia ember fjord granite heather indigo juniper kestrel lagoon meadow nectar opal pebble quartz rowan saffron "
           "timber umber velvet willow xenon yarrow zephyr acorn birch cedar dune elm fern grove hazel ivy jasper").split()
PEOPLE = "amber bruno carla derek edith felix greta hugo irma jonas klara luis maren nils olga petra quinn rosa sven tilda".split()
LOCAL_PARTS = "sales boats team books pier crew tours returns orders office jobs helpdesk admin quay dock tickets".split()


class Chance(random.Random):
    """Numbers of mails: those of the sample without a seed."""

    def __init__(self, seed):
        super().__init__(seed)
        self.fresh = seed != 0

    def some(self, number):
        return self.randint(max(2, number // 2), number * 2) if self.fresh else number

    def repeats(self):
        """How often a mail is sent that the sample has once."""
        return self.choice((1, 1, 2, 3)) if self.fresh else 1

    def sender(self, address, turn):
        """A sender of his own for each of the repeats: autoresponders answer nobody twice."""
        return f"{self.choice(PEOPLE[turn % 2::2])}.{address}" if turn else address


def replacements(sources, chance):
    """[(pattern, {found: instead})] for the texts of a scenario and its helpers."""
    text = "\n".join(sources)
    labels = sorted(set(re.findall(r"(?<![-\w])([a-z]{3,})\.example\b", text)) - STAYS)
    names = chance.sample(DOMAINS, len(labels))
    people = chance.sample(PEOPLE, len(LOCAL_PARTS))
    v4 = sorted(set(re.findall(r"\b(?:192\.0\.2|198\.51\.100|203\.0\.113|10\.20\.30|198\.19\.\d+)\.(?=\d)", text)))
    nets = chance.sample(range(1, 250), len(v4))
    new_v4 = {old: f"10.{net}.{chance.randint(1, 250)}." if old in ("192.0.2.", "10.20.30.") else f"198.19.{net}."
              for old, net in zip(v4, nets)}
    v6 = sorted(set(re.findall(r"\b2001:db8:[0-9a-f]+:(?=[0-9a-f:])", text)))
    new_v6 = {old: f"2001:db8:{net:x}:" for old, net in zip(v6, chance.sample(range(0x100, 0xff00), len(v6)))}
    words = dict(zip(labels, names)) | dict(zip(LOCAL_PARTS, people))
    return [(r"\b(?:" + "|".join(sorted(words, key=len, reverse=True)) + r")\b", words),
            ("|".join(rf"(?<![\d.]){re.escape(old)}(?=\d)" for old in v4) or "(?!)", new_v4),
            ("|".join(rf"\b{re.escape(old)}" for old in v6) or "(?!)", new_v6)]


def load(name, seed):
    chance = Chance(seed)
    paths = {"letters": HERE / "letters.py", "cast": HERE / "cast.py", "busy_hour": HERE / "busy_hour.py",
             "scenario": HERE / "scenarios" / f"{name}.py"}
    if not name.startswith("busy"):
        del paths["busy_hour"]
    sources = {module: path.read_text() for module, path in paths.items()}
    if chance.fresh:
        for pattern, instead in replacements(sources.values(), chance):
            sources = {module: re.sub(pattern, lambda found: instead[found[0]], text) for module, text in sources.items()}
    for module, text in sources.items():   # in the order in which they need each other
        loaded = types.ModuleType(module)
        loaded.__file__ = str(paths[module])
        loaded.CHANCE = chance
        sys.modules[module] = loaded
        exec(compile(text, paths[module], "exec"), loaded.__dict__)   # pylint: disable=exec-used
    if chance.fresh:
        sys.modules["scenario"].check = lambda truth: None   # it counts what the sample has
    return sys.modules["scenario"]
