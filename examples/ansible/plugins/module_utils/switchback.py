# Copyright: the switchback authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs `switchback --json` and reads its report."""

from __future__ import annotations

import json
import signal

COMMON_ARGUMENTS = dict(
    executable=dict(type='str', default='switchback'),
    config=dict(type='path'),
    env=dict(type='str'),
    root=dict(type='str'),
    hosts=dict(type='list', elements='str', default=[]),
    variables=dict(type='dict', default={}, no_log=True),
)

# The options of the program that name a fleet.
COMMON_FLAGS = dict(config='--config', env='--env', root='--root')


class Run:
    """One run of the program: its events, its report, and its exit code."""

    def __init__(self, module, words):
        """Runs the command `words`; fails the module if the program printed no report."""
        params = module.params
        arguments = [module.get_bin_path(params['executable'], required=True), '--json', '--quiet']
        arguments += flags(params, COMMON_FLAGS)
        for host in params['hosts']:
            arguments += ['--host', host]
        variables = {name: _text(value) for name, value in params['variables'].items()}
        # Without pipelining a task has a terminal, which hangs up if the controller dies. The program inherits this
        # and ends what it began, as it does with pipelining.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.rc, stdout, self.stderr = module.run_command(arguments + words, environ_update=variables)
        objects = [_object(line) for line in stdout.splitlines()]
        self.events = [event for event in objects if event and event.get('type') != 'report']
        reports = [report for report in objects if report and report.get('type') == 'report']
        if not reports:
            why = self.stderr.strip() or 'it printed no report'
            module.fail_json(msg='{0} exited with {1}: {2}'.format(params['executable'], self.rc, why), rc=self.rc)
        self.report = reports[-1]

    @property
    def hosts(self):
        return self.report.get('hosts') or []

    @property
    def outcome(self):
        return self.report['outcome']

    def plan(self):
        """The lines of the plan; none if there was nothing to do."""
        return [line for event in self.events if event.get('type') == 'planned' for line in event.get('plan') or []]

    def warnings(self):
        """Every warning once, with its host."""
        told = []
        for event in self.events:
            if event.get('type') == 'warning':
                host = event.get('host')
                told.append('{0}: {1}'.format(host, event['message']) if host else event['message'])
        return list(dict.fromkeys(told))

    def hints(self):
        """What to type next, as the report says it."""
        errors = [self.report.get('error')] + [host.get('error') for host in self.hosts]
        return list(dict.fromkeys(error['hint'] for error in errors if error and error.get('hint')))

    def returned(self):
        """The values that every module returns, after success and failure."""
        return dict(
            rc=self.rc,
            command=self.report.get('command'),
            outcome=self.outcome,
            release=self.report.get('release'),
            operation=self.report.get('operation'),
            hosts=self.hosts,
            hints=self.hints(),
            report=self.report,
        )

    def message(self):
        """What failed, and what to type next."""
        error = self.report.get('error') or {}
        text = 'switchback exited with {0} ({1}): {2}'.format(
            self.rc, self.outcome, error.get('message') or self.stderr.strip() or 'the report says no more')
        return '\n'.join([text] + ['next: ' + hint for hint in self.hints()])


def flags(params, names):
    """The words of the command line for the options of `names` that are set."""
    words = []
    for option, flag in names.items():
        value = params[option]
        if value is True:
            words.append(flag)
        elif value is not None and value is not False:
            # One word, so that no value is ever taken for another option.
            words.append('{0}={1}'.format(flag, value))
    return words


def _text(value):
    """A value of YAML as an environment variable: `true` and not `True`."""
    return value if isinstance(value, str) else json.dumps(value)


def _object(line):
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
