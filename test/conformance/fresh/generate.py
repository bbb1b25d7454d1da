"""Fresh inputs for the conformance vectors: what is seen in the visible ones, spliced and changed. Deterministic for a seed.

    generate.py DIR --kind KIND --count N --seed S --mode mild|harsh

`mild` recombines what is seen for the same key or argument; `harsh` also swaps values between keys, changes types, quotes and letters.
Texts stay texts: files are changed where their values stand, so that styles, anchors and templates of the visible cases live on.
"""
import argparse
import copy
import gzip
import json
import os
import random
import re
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

import yaml

Json = Any
Case = Dict[str, Any]
TREES = ("instances", "objects", "hash", "validate", "tags")
INSTANCE_FILE = re.compile(r"^[^/]+/(?:kubernetes|eks|adhoc|tron)-[^/]+\.yaml$")

ODD_VALUES = [
    "null", "~", "''", '""', "0", "1", "-1", "1.0", "0.5", "1e3", "1e-07", "1.0e+3", "1_000", "010", "0x10", "1:30", ".5", "5.", ".inf", ".nan",
    "true", "false", "yes", "off", "'yes'", "'1'", "'1.5'", "[]", "{}", "[1]", "[a, b]", "{a: b}", "2001-01-01", "!!binary aGVsbG8=", "x", "'a b'",
    "é", "'{service}.{instance}'", "99999999999999999999", "0.1", "100", "65536", "512.0", "1e+16", "SECRET(x)", "SHARED_SECRET(y)", "[null]", "'x: y'",
]
ODD_LETTERS = list("abz019 _-.:,[]{}#&*!|>'\"%@`\n\t\\/~?=+()$") + ["\n  ", ": ", "- ", " #", "é", "\r\n", "\u2028", "<<"]


def as_key(name: str) -> str:
    """A name as a key that is text: the visible cases quote what would be a number."""
    try:
        return name if isinstance(yaml.safe_load(name), str) else json.dumps(name)
    except yaml.YAMLError:
        return name


class Generator:
    def __init__(self, cases: List[Case], kind: str, seed: int, harsh: bool) -> None:
        self.random = random.Random(f"{kind} {seed} {harsh}")
        self.harsh = harsh
        self.kind = kind
        self.cases = [case for case in cases if case["kind"] == kind]
        # Configurations of services are of one family; what validate rejects stays with validate.
        family = [kind] if kind in ("validate", "tags") else ["instances", "objects", "hash"]
        # Place (what the mapping is) and key -> the values that are seen there.
        self.pool: Dict[str, Dict[str, List[str]]] = {}
        self.bodies: List[Tuple[str, str]] = []
        self.files: Dict[str, List[Tuple[str, str]]] = {}
        self.system: Dict[str, List[Json]] = {}
        self.sides = 0
        # How many mappings there are at a place, and how many of them have a key.
        self.seen: Dict[str, int] = {}
        self.present: Dict[str, Dict[str, int]] = {}
        # Only the driver reads them: which getters of the system configuration are asked.
        self.getters = sorted({name for case in self.cases for name in case["expected"].get("getters", {})})
        if kind in TREES:
            for case in cases:
                if case["kind"] in family or (harsh and case["kind"] in TREES and self.random.random() < 0.2):
                    self.learn(case)

    # ---- What is seen

    def learn(self, case: Case) -> None:
        given = case["input"]
        service = given["service"]
        for side in (given.get("a"), given.get("b"), given):
            if not side or "files" not in side:
                continue
            for key, value in side["system"].items():
                self.system.setdefault(key, []).append(value)
            self.sides += 1
            for path, text in side["files"].items():
                name = path.split("/", 1)[1] if path.startswith(f"{service}/") else path
                if INSTANCE_FILE.match(path):
                    for _, body in blocks(text):
                        self.bodies.append((name.split("-")[0], body))
                else:
                    self.files.setdefault(re.sub(r"-[^/]*\.yaml$", "", name), []).append((service, text))
                if path.endswith(".yaml"):
                    self.values_of(path, text)

    def values_of(self, path: str, text: str) -> None:
        counted = set()
        for key, node, above, place in mappings(text, family_of(path)):
            if id(above) not in counted:
                counted.add(id(above))
                self.seen[place] = self.seen.get(place, 0) + 1
            if key.value == "<<":
                continue
            self.present.setdefault(place, {}).setdefault(key.value, 0)
            self.present[place][key.value] += 1
            source = slice_of(text, node)
            self.pool.setdefault(place, {}).setdefault(key.value, []).append(source if source is not None else flow_of(text, node))

    # ---- Small things

    def pick(self, things: List[Any]) -> Any:
        return things[self.random.randrange(len(things))]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def word(self, longest: int = 70) -> str:
        return "".join(self.pick(list("abcdefghijklmnopqrstuvwxyz0123456789-_")) for _ in range(self.random.randrange(1, longest)))

    def changed_text(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        kind = self.random.randrange(4)
        if kind == 0 or not text:
            return text[:at] + self.pick(ODD_LETTERS) + text[at:]
        if kind == 1:
            return text[:at] + text[at + 1 :]
        if kind == 2:
            return text[:at] + self.pick(ODD_LETTERS) + text[at + 1 :]
        end = min(len(text), at + self.random.randrange(1, 12))
        return text[:end] + text[at:end] + text[end:]

    def number(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or isinstance(value, float) and not abs(value) < 1e15:
            return value
        if isinstance(value, float):
            return round(self.pick([value, self.random.random(), self.random.randrange(101) / 100, value / 2, float(int(value))]), 4)
        return self.pick([value, value + 1, max(0, value - 1), value * 2, self.random.randrange(0, 2 * abs(value) + 2), 0, 1])

    # ---- Kinds without files

    def names(self) -> Json:
        fn = self.pick(self.cases)["input"]["fn"]
        seen = [case["input"]["args"] for case in self.cases if case["input"]["fn"] == fn]
        args = [copy.deepcopy(self.pick(seen)[i]) for i in range(len(self.pick(seen)))]
        for i, value in enumerate(args):
            # What PaaSTA itself writes there: a state and a time.
            fixed = (fn, i) in (("deploy_tag", 1), ("deploy_tag", 3), ("control_tag", 2), ("control_tag", 3))
            if isinstance(value, str) and not fixed and fn != "parse_timestamp" or (fn == "parse_timestamp" and self.harsh):
                others = [a[i] for a in seen if isinstance(a[i], str)]
                if self.chance(0.35) and fn != "env_text":
                    other = self.pick(others)
                    value = value[: self.random.randrange(len(value) + 1)] + other[self.random.randrange(len(other) + 1) :]
                if self.harsh or (self.chance(0.1) and fn != "env_text"):
                    for _ in range(self.random.randrange(3)):
                        value = self.changed_text(value)
                if fn == "env_text" and self.chance(0.5):
                    value = self.pick(ODD_VALUES)
                args[i] = value
            elif isinstance(value, int) and not isinstance(value, bool) and fn != "mode_to_int":
                args[i] = value if self.chance(0.7) else self.random.randrange(8, 130) if i == 1 else value
            elif fn == "deep_merge":
                args[i] = self.merged_map(seen)
            elif fn == "desired_states":
                refs = [item for a in seen for item in a[0].items()]
                args[i] = dict(self.pick(refs) for _ in range(self.random.randrange(1, 14)))
                if self.harsh:
                    args[i] = {self.changed_text(k) if self.chance(0.4) else k: v for k, v in args[i].items()}
        return {"fn": fn, "args": args}

    def merged_map(self, seen: List[Json]) -> Json:
        out: Dict[str, Any] = {}
        for _ in range(self.random.randrange(4)):
            out.update(copy.deepcopy(self.pick(self.pick(seen))))
        if self.harsh and out and self.chance(0.5):
            out[self.pick(list(out))] = self.merged_map(seen) if self.chance(0.5) else self.pick([None, [], {}, 0, False, "x", [1]])
        return out

    def bounce(self) -> Json:
        given = copy.deepcopy(self.pick(self.cases)["input"])
        alike = [case["input"] for case in self.cases if case["input"]["fn"] == given["fn"]]
        for key in list(given):
            if key == "fn":
                continue
            if self.chance(0.6):
                given[key] = copy.deepcopy(self.pick(alike).get(key))
            if key in ("settings", "system", "status"):
                if self.chance(0.7):
                    given[key] = {**given[key], **{k: v for k, v in self.pick(alike)[key].items() if self.chance(0.5)}}
                for name, value in given[key].items():
                    if self.chance(0.3):
                        given[key][name] = self.number(value)
            elif key == "margin_factor":
                if self.chance(0.5) and given[key] is not None:
                    given[key] = self.random.randrange(1, 1001) / self.pick([100, 1000])
            elif key != "status_code" or self.harsh:
                if self.chance(0.3):
                    given[key] = self.number(given[key])
            if key == "success_codes" and self.harsh and isinstance(given[key], str) and self.chance(0.5):
                given[key] = self.pick(["200-299", "200,201", "2xx", "200-", "-200", " 200 , 201", "200-199", "1_0", "٢٠٠", "200--300"])
        if given["fn"] == "method" and given["margin_factor"] is not None and not isinstance(given["margin_factor"], (int, float)):
            given["margin_factor"] = 1.0
        return given

    def yaml(self) -> Json:
        texts = [case["input"]["text"] for case in self.cases]
        if not self.harsh:
            texts = [text for text in texts if "\ufeff" not in text]
        text = self.pick(texts)
        for _ in range(self.random.randrange(1, 5)):
            text = self.spliced_yaml(text, texts)
        if self.harsh:
            for _ in range(self.random.randrange(1, 4)):
                text = self.changed_text(text)
        return {"text": text[:4000]}

    def spliced_yaml(self, text: str, texts: List[str]) -> str:
        other = self.pick(texts)
        way = self.random.randrange(6)
        values = re.findall(r"(?:^|\n)\s*(?:- |[\w'\"]+: ?)(\S[^\n]*)", other) or [other.strip()]
        value = self.pick(values)
        if way == 0:
            lines = text.split("\n")
            return "\n".join(lines[: self.random.randrange(len(lines) + 1)]) + "\n" + other
        if way == 1:
            return text + ("" if text.endswith("\n") else "\n") + f"{self.pick(['k9', 'main', 'x', '_t'])}: {value}\n"
        if way == 2 or way == 3:
            found = list(re.finditer(r"(: |- )(\S[^\n]*)", text))
            if found:
                hit = self.pick(found)
                return text[: hit.start(2)] + value + text[hit.end(2) :]
        if way == 4:
            return f"{self.pick(['main', 'a', '_t', 'k0'])}:\n" + "\n".join(f"  {line}" if line else line for line in text.split("\n"))
        return text if len(values) < 2 else f"{self.pick(['a', 'b'])}: [{value}, {self.pick(values)}]\n" + text

    def config(self) -> Json:
        files: Dict[str, str] = {}
        for path, text in self.pick(self.cases)["input"]["files"].items():
            if self.chance(0.85):
                files[path] = text
        for _ in range(self.random.randrange(3)):
            path, text = self.pick(list(self.pick(self.cases)["input"]["files"].items()))
            names = [name for case in self.cases for name in case["input"]["files"]]
            files[path if self.chance(0.6) else self.pick(names)] = text
        for path in list(files):
            if self.chance(0.5):
                files[path] = self.changed_json(files[path])
        return {"files": files}

    def changed_json(self, text: str) -> str:
        try:
            data = json.loads(text)
        except ValueError:
            return self.changed_text(text) if self.harsh else text
        if not isinstance(data, dict):
            return text
        for _ in range(self.random.randrange(1, 4)):
            other = self.pick(list(self.pick(self.cases)["input"]["files"].values()))
            try:
                taken = json.loads(other)
            except ValueError:
                continue
            if not isinstance(taken, dict) or not taken:
                continue
            key = self.pick(list(taken))
            way = self.random.randrange(4)
            if way == 0:
                data[key] = taken[key]
            elif way == 1 and data:
                data.pop(self.pick(list(data)))
            elif way == 2 and data:
                mine = self.pick(list(data))
                if isinstance(data[mine], dict) and isinstance(taken[key], dict):
                    data[mine] = {**data[mine], **taken[key]}
                else:
                    data[mine] = self.number(data[mine])
            elif self.harsh and data:
                odd = [None, 0, 1.0, "x", [], {}, [1], {"a": None}, True, taken[key], 2**60, -0.0, 1e22, "é", [[]]]
                data[self.pick(list(data))] = self.pick(odd)
        out = json.dumps(data, indent=self.pick([None, 2]), ensure_ascii=self.chance(0.5))
        if self.harsh and self.chance(0.2):
            out = self.pick([self.changed_text(out), out + "\n", "\ufeff" + out, out.replace('"', "'", 2), "[]", "null", "", out + out, out.replace(": 1", ": NaN", 1), out.replace(": 1", ": 01", 1)])
        return out

    # ---- Kinds with a tree of files

    def changed_file(self, path: str, text: str, times: int) -> str:
        for _ in range(times):
            text = self.changed_value(path, text)
        return text

    def value_for(self, place: str, key: str) -> str:
        if self.harsh and self.chance(0.15):
            return self.pick(ODD_VALUES)
        if self.harsh and self.chance(0.05):
            return self.pick(self.pick(list(self.pick(list(self.pool.values())).values())))
        return self.pick(self.pool.get(place, {}).get(key) or ["x"])

    def changed_value(self, path: str, text: str) -> str:
        # What stands at the top of a file of instances is an instance; no visible case makes anything else of it.
        found = [entry for entry in mappings(text, family_of(path)) if self.harsh or not (entry[3].endswith(" top") and INSTANCE_FILE.match(path))]
        if not found:
            return self.changed_text(text) if self.harsh and self.chance(0.3) else text
        key, node, above, place = self.pick(found)
        # Below that, whole values are what the visible cases have; a key more or less would be a mistake that they do not make.
        open_place = self.harsh or place.endswith((" entry", " action", " env")) or (place.endswith(" top") and not INSTANCE_FILE.match(path))
        way = self.random.randrange(10 if open_place else 5)
        if way < 4:
            return replaced(text, node, self.value_for(place, key.value)) if key.value != "<<" else text
        if way < 5:
            source = slice_of(text, node)
            if isinstance(node, yaml.ScalarNode) and source is not None:
                quotable = self.harsh or source[:1] in ("'", '"')
                return replaced(text, node, self.requoted(node, source) if quotable and self.chance(0.4) else self.other_number(source))
            return text
        # A key more, or one less, beside the one that was found.
        if way < 8:
            known = list(self.pool.get(place, {}))
            if self.harsh and self.chance(0.1):
                known = list(self.pick(list(self.pool.values())))
            present = {k.value for k, _ in above.value if isinstance(k, yaml.ScalarNode)}
            more = self.pick([name for name in known if name not in present] or ["x"])
            return inserted(text, key, above, f"{as_key(more)}: {self.value_for(place, more)}") if more != "x" or self.harsh else text
        if way < 9:
            needed = self.present.get(place, {}).get(key.value) == self.seen.get(place) and not self.harsh
            return text if needed else dropped(text, key, node, above)
        again = f"{self.requoted(key, as_key(key.value))}: {self.value_for(place, key.value)}"
        return inserted(text, key, above, again) if self.chance(0.3) and key.value != "<<" else text

    def other_number(self, source: str) -> str:
        try:
            value = json.loads(source)
        except ValueError:
            return source
        number = self.number(value)
        # Nothing where there is something (no memory, port 0) is a mistake that the visible cases do not make.
        return source if value and not number and not self.harsh else json.dumps(number)

    def requoted(self, node: Any, source: str) -> str:
        if not isinstance(getattr(node, "value", None), str) or "\n" in node.value or "'" in node.value or '"' in node.value or "\\" in node.value:
            return source
        return self.pick([f"'{node.value}'", f'"{node.value}"', source])

    def new_body(self, text: str, kind: str) -> str:
        choices = [body for of, body in self.bodies if of == kind] or [body for _, body in self.bodies]
        body = self.pick(choices)
        name = re.match(r"[\"']?([\w.-]+)", body)
        if not self.harsh and name and re.search(rf"(?m)^[\"']?{re.escape(name.group(1))}[\"']?:", text):
            return text
        return (text if text.endswith("\n") or not text else text + "\n") + body

    def changed_tree(self, given: Json) -> None:
        """Changes files, system and live of a case, or of one side."""
        service = given["service"]
        files: Dict[str, str] = given["files"]
        for path in list(files):
            if INSTANCE_FILE.match(path):
                kind = path.split("/")[1].split("-")[0]
                if self.chance(0.25):
                    files[path] = self.new_body(files[path], kind)
                if self.chance(0.8):
                    files[path] = self.changed_file(path, files[path], self.random.randrange(1, 7 if self.harsh else 4))
            else:
                name = path.split("/", 1)[1] if path.startswith(f"{service}/") else path
                seen = self.files.get(re.sub(r"-[^/]*\.yaml$", "", name), [])
                if seen and self.chance(0.2) and not name.endswith("deployments.json"):
                    owner, text = self.pick(seen)
                    files[path] = text.replace(owner, service)
                if path.endswith(".yaml") and self.chance(0.25):
                    files[path] = self.changed_file(path, files[path], self.random.randrange(1, 3))
                if self.harsh and path.endswith(".json") and self.chance(0.05):
                    files[path] = self.changed_text(files[path])
        if self.chance(0.08) and len(files) > 1:
            others = [path for path in files if not INSTANCE_FILE.match(path)]
            if others:
                files.pop(self.pick(others))
        if self.chance(0.1):
            name = self.pick(list(self.files))
            if "/" not in name and name.endswith(".yaml") and name != "authenticating.yaml":
                owner, text = self.pick(self.files[name])
                files.setdefault(f"{service}/{name}", text.replace(owner, service))
        for _ in range(self.random.randrange(3)):
            key = self.pick(list(self.system))
            if key in ("cluster", "clusters"):
                continue
            # What every case has (volumes, the registry) is missing in none.
            if self.chance(0.2) and (self.harsh or len(self.system[key]) < self.sides):
                given["system"].pop(key, None)
            else:
                given["system"][key] = self.moved(self.pick(self.system[key]), given["system"])
        if "live" in given and self.chance(0.4):
            given["live"] = copy.deepcopy(self.live())

    def moved(self, value: Json, system: Json) -> Json:
        """A value of another case's system configuration for the clusters of this one."""
        clusters = system.get("clusters") or []
        if isinstance(value, dict) and value and all(name in self.clusters() for name in value):
            return {cluster: copy.deepcopy(list(value.values())[0]) for cluster in clusters}
        return copy.deepcopy(value)

    def clusters(self) -> List[str]:
        return [cluster for clusters in self.system.get("clusters", []) for cluster in clusters]

    def live(self) -> Json:
        given = self.pick(self.cases)["input"]
        return given.get("live") or given["a"]["live"]

    def instances(self) -> Json:
        given = copy.deepcopy(self.pick(self.cases)["input"])
        self.changed_tree(given)
        given["instances"] = self.instances_in(given) or given["instances"]
        return given

    def instances_in(self, given: Json) -> List[List[str]]:
        out: List[List[str]] = []
        for kind, cluster, name in given["instances"]:
            if [kind, cluster] not in [entry[:2] for entry in out]:
                text = given["files"].get(f"{given['service']}/{kind}-{cluster}.yaml", "")
                out.extend([kind, cluster, found] for found in self.names_in(text, kind))
            if [kind, cluster, name] not in out and self.chance(0.3):
                out.append([kind, cluster, name])
        return out

    def names_in(self, text: str, kind: str) -> List[str]:
        try:
            data = yaml.load(text, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, ValueError):
            return []
        if not isinstance(data, dict):
            return []
        names = [name for name in data if isinstance(name, str) and (not name.startswith("_") or self.chance(0.1))]
        if kind != "tron":
            return names
        return [f"{name}.{action}" for name in names if isinstance(data[name], dict) if isinstance(data[name].get("actions"), dict) for action in data[name]["actions"]]

    def objects(self) -> Json:
        given = copy.deepcopy(self.pick(self.cases)["input"])
        self.changed_tree(given)
        for key in ("hpa_override", "job"):
            if self.chance(0.3):
                given[key] = copy.deepcopy(self.pick(self.cases)["input"][key])
        return given

    def hash(self) -> Json:
        given = copy.deepcopy(self.pick(self.cases)["input"])
        if self.chance(0.7):
            side = {"service": given["service"], **given["a"]}
            state = self.random.getstate()
            self.changed_tree(side)
            self.random.setstate(state)
            other = {"service": given["service"], **given["b"]}
            self.changed_tree(other)
            for name, changed in (("a", side), ("b", other)):
                changed.pop("service")
                given[name] = changed
        if self.chance(0.6):
            given["b"] = copy.deepcopy(given["a"])
            given["change"] = self.one_change(given, given["b"])
        return given

    def one_change(self, given: Json, side: Json) -> str:
        way = self.random.randrange(10)
        path = f"{given['service']}/{given['type']}-{given['cluster']}.yaml"
        if way < 5 and path in side["files"]:
            key = self.set_key(side["files"], path, given["instance"])
            return f"set {key}" if key else "nothing"
        if way < 7:
            key = self.pick(list(self.system))
            if key not in ("cluster", "clusters"):
                side["system"][key] = self.moved(self.pick(self.system[key]), side["system"])
            return f"system.{key}"
        if way < 8:
            side["live"] = copy.deepcopy(self.live())
            return "live replicas"
        deployments = f"{given['service']}/deployments.json"
        if way < 9 and deployments in side["files"]:
            side["files"][deployments] = side["files"][deployments].replace('"force_bounce": null', '"force_bounce": "20240301T010203"')
            return "deployments.force_bounce"
        mesh = f"{given['service']}/smartstack.yaml"
        if mesh in side["files"]:
            side["files"][mesh] = self.changed_value(mesh, side["files"][mesh])
            return "smartstack.yaml"
        side["files"][".metadata.json"] = json.dumps({"git_sha": self.word(9)})
        return "soa-configs sha"

    def set_key(self, files: Dict[str, str], path: str, instance: str) -> Optional[str]:
        """Sets one key of the instance itself, to what other cases have there."""
        text = files[path]
        for key, node, _, place in mappings(text, family_of(path)):
            if key.value != instance or not place.endswith(" top") or not isinstance(node, yaml.MappingNode) or not node.value:
                continue
            mine = f"{family_of(path)} entry"
            first, value = self.pick(node.value)
            if self.chance(0.5) and first.value in self.pool[mine]:
                files[path] = replaced(text, value, self.value_for(mine, first.value))
                return first.value
            name = self.pick(list(self.pool[mine]))
            files[path] = inserted(text, node.value[0][0], node, f"{name}: {self.value_for(mine, name)}")
            return name
        return None

    def validate(self) -> Json:
        given = copy.deepcopy(self.pick(self.cases)["input"])
        self.changed_tree(given)
        for key in ("etc_services", "location_types", "teams"):
            if self.chance(0.1):
                given[key] = copy.deepcopy(self.pick(self.cases)["input"][key])
        return given

    def tags(self) -> Json:
        given = copy.deepcopy(self.pick(self.cases)["input"])
        other = self.pick(self.cases)["input"]
        if self.chance(0.5):
            self.changed_tree(given)
        refs = given["refs"]
        times = re.findall(r"\d{8}T\d{6}", json.dumps(refs)) or ["20240101T000000"]
        shas = [sha for _, sha in refs] or ["0" * 40]
        groups = re.findall(r"deploy_group['\"]?: *['\"]?([^'\"\n,}{]+)", "\n".join(given["files"].values())) or ["main"]
        for _ in range(self.random.randrange(1, 8)):
            way = self.random.randrange(7)
            at = self.random.randrange(len(refs)) if refs else 0
            if way == 0 and refs:
                refs.pop(at)
            elif way == 1 and refs:
                refs[at] = [re.sub(r"\d{8}T\d{6}", self.pick(times), refs[at][0]), refs[at][1]]
            elif way == 2 and refs:
                refs[at] = [refs[at][0], self.pick(shas)]
            elif way == 3:
                version = self.pick(["", "", "+v1", "+", "+a-b", "+1.2.3"])
                refs.append([f"refs/tags/paasta-{self.pick(groups)}{version}-{self.pick(times)}-{self.pick(['deploy', 'deploy', 'deploy', 'rollback'])}", self.pick(shas)])
            elif way == 4 and other["refs"]:
                refs.append(self.pick(other["refs"]))
            elif way == 5 and len(groups) > 1:
                one, two = self.pick(groups), self.pick(groups)
                for path in list(given["files"]):
                    if self.chance(0.5) and not path.endswith("service.yaml"):
                        given["files"][path] = given["files"][path].replace(one, two)
            elif way == 6:
                branches = re.findall(r"\n\"?'?([a-zA-Z0-9][\w-]*)\"?'?:", "\n" + "\n".join(t for p, t in given["files"].items() if INSTANCE_FILE.match(p))) or ["main"]
                branch = f"{self.pick(given['system'].get('clusters') or ['dev'])}.{self.pick(branches)}"
                prefix = self.pick(["paasta-", "paasta-", "paasta-paasta-", "", "paasta-paasta-paasta-"])
                refs.append([f"refs/tags/{prefix}{branch}-{self.pick(times)}-{self.pick(['start', 'stop', 'stop'])}", self.pick(shas)])
        if self.harsh:
            for _ in range(self.random.randrange(2)):
                at = self.random.randrange(len(refs)) if refs else 0
                if refs:
                    refs[at] = [re.sub(r"[\s~^:?*\[\\]", "x", self.changed_text(refs[at][0])), refs[at][1]]
        unique = {name: sha for name, sha in refs}
        names = [name for name in unique if not name.endswith("^{}") or name[:-3] in unique]
        if self.chance(0.9):
            names.sort(key=lambda name: (name != "HEAD", name.encode()))
        given["refs"] = [[name, unique[name]] for name in names]
        if self.chance(0.3):
            given["rollback_queries"] = [{"deploy_group": self.pick(groups), "sha": self.pick(shas)} for _ in range(2)]
        return given


# ---- YAML as text with places


def nodes(text: str) -> Any:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def family_of(path: str) -> str:
    """Files whose entries are of one kind: `kubernetes` and `eks` have the same keys."""
    name = path.split("/", 1)[-1]
    kind = name.split("-")[0] if INSTANCE_FILE.match(path) else re.sub(r"-[^/]*\.yaml$", "", name)
    return "kubernetes" if kind == "eks" else kind


def mappings(text: str, family: str) -> Any:
    """Every (key, value, mapping, place) of a document; the place says what the mapping is."""
    seen = set()

    def walk(node: Any, place: str) -> Any:
        if node is None or id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = place
                if isinstance(key, yaml.ScalarNode):
                    yield key, value, node, place
                    if place.endswith(" top"):
                        # A template of variables is no instance.
                        inner = f"{family} {key.value.strip('_')}" if key.value == "_env" or not isinstance(value, yaml.MappingNode) else f"{family} entry"
                    elif place.endswith(" actions"):
                        inner = f"{family} action"
                    elif key.value != "<<":
                        inner = f"{family} {key.value}"
                yield from walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                yield from walk(value, place)

    yield from walk(nodes(text), f"{family} top")


def is_inline(node: Any) -> bool:
    return (isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">")) or bool(getattr(node, "flow_style", False))


def slice_of(text: str, node: Any) -> Optional[str]:
    if not is_inline(node):
        return None
    source = text[node.start_mark.index : node.end_mark.index]
    return None if source.startswith(("*", "&")) or "*" in source or "\n" in source else source


def flow_of(text: str, node: Any) -> str:
    try:
        value = yaml.constructor.SafeConstructor().construct_document(copy.deepcopy(node))
        return yaml.safe_dump(value, default_flow_style=True, width=10**6).split("\n")[0]
    except Exception:
        return "x"


def replaced(text: str, node: Any, source: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    # The end mark of a block lies behind its line end; a block begins on a line of its own.
    if not is_inline(node):
        body = text[start:end].rstrip()
        end = start + len(body)
        if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)):
            line = text.rfind("\n", 0, start) + 1
            if text[line:start].strip() == "":
                start = line - 1 if line else 0
                return f"{text[:start]} {source}{text[end:]}"
            return text
    lead = "" if start == 0 or text[start - 1] in " \n[{,\t" else " "
    return f"{text[:start]}{lead}{source}{text[end:]}"


def inserted(text: str, key: Any, above: Any, entry: str) -> str:
    at = key.start_mark.index
    if getattr(above, "flow_style", False):
        return f"{text[:at]}{entry}, {text[at:]}"
    return f"{text[:at]}{entry}\n{' ' * key.start_mark.column}{text[at:]}"


def dropped(text: str, key: Any, node: Any, above: Any) -> str:
    if len(above.value) < 2:
        return text
    start, end = key.start_mark.index, node.end_mark.index
    if getattr(above, "flow_style", False):
        return text[:start] + text[end:].lstrip(", ") if text[end:].startswith(",") else text
    following = [k for k, _ in above.value if k.start_mark.index > start]
    if not following:
        return text
    return text[:start] + text[following[0].start_mark.index :]


def blocks(text: str) -> List[Tuple[str, str]]:
    """Top-level entries of a file as text, without templates and what refers to them."""
    out: List[Tuple[str, str]] = []
    for part in re.split(r"(?m)^(?=[\"'\w])", text):
        name = re.match(r"[\"']?([\w.-]+)[\"']?:", part)
        if name and not name.group(1).startswith("_") and not re.search(r"[*&]\w", part):
            out.append((name.group(1), part.rstrip("\n") + "\n"))
    return out


def read_cases(directory: str) -> List[Case]:
    cases: List[Case] = []
    for name in sorted(os.listdir(directory)):
        if re.search(r"\.jsonl(\.gz)?$", name):
            opener: Callable[..., Any] = gzip.open if name.endswith(".gz") else open
            with opener(os.path.join(directory, name), "rt", encoding="utf-8") as lines:
                cases.extend(json.loads(line) for line in lines if line.strip())
    return cases


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--kind", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--mode", choices=["mild", "harsh"], required=True)
    args = parser.parse_args()
    sys.setrecursionlimit(5_000)
    generator = Generator(read_cases(args.dir), args.kind, args.seed, args.mode == "harsh")
    for number in range(args.count):
        given = getattr(generator, args.kind)()
        name = f"{args.kind}-{args.mode}-{args.seed}-{number:05d}"
        more = {"getters": generator.getters} if generator.getters else {}
        print(json.dumps({"id": name, "kind": args.kind, "input": given, **more}))


main()
