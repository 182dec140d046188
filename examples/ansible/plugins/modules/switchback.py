#!/usr/bin/python
# Copyright: the switchback authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR Apache-2.0

from __future__ import annotations

DOCUMENTATION = r'''
module: switchback
short_description: Deploy a release, or roll back
author:
  - The switchback authors (!UNKNOWN)
description:
  - Runs one command of the program C(switchback) where the task runs, and returns its report.
  - On the controller, with O(config) or O(hosts), one task deploys to a whole fleet. Such a task needs C(run_once) and
    C(delegate_to). It is refused under C(serial), which would run it once for each batch, and under the strategies
    C(free) and C(host_pinned), which would run it once for each host.
  - The program ignores C(SIGHUP). If the connection to the controller is lost, it ends what it began.
  - On each host, with O(root), it deploys to that host alone, whose name in the report is V(local).
options:
  command:
    description:
      - The command to run.
      - V(deploy) uploads O(source) and switches to it. V(stage) only uploads it. V(activate) switches to a release that
        is there. V(rollback) returns to the recorded previous release. V(recover) settles an interrupted run.
    type: str
    choices: [deploy, stage, activate, rollback, recover]
    required: true
  source:
    description: Directory or archive to deploy, on the machine where the task runs.
    type: path
  name:
    description:
      - Name of the release.
      - Make it once and give all hosts the same. Without it, V(deploy) and V(stage) make one at every run, so that
        no run finds that there is nothing to do.
    type: str
  from:
    description:
      - With V(deploy) and V(activate), the release that must be current on every host that is not on the new one yet.
      - With V(rollback), the release to roll back from. If no host is on it, nothing changes.
      - Hosts that are on the target of the rollback stay there. If a host is on any other release, it is refused.
    type: str
  to:
    description: Release to roll back to, instead of the recorded one.
    type: str
  steps:
    description: Number of good releases to roll back.
    type: int
  direction:
    description:
      - How V(recover) settles the interrupted run.
      - Without it, a deploy is finished if it had switched every host, and reverted otherwise.
    type: str
    choices: [forward, back]
  or_return:
    description: Whether V(deploy) switches to the release if the hosts have it but are not on it.
    type: bool
    default: false
  allow_split:
    description: Whether to proceed if the hosts are on different releases.
    type: bool
    default: false
  accept_data:
    description: Whether to accept and record the data version that is found.
    type: bool
    default: false
  keep_data:
    description: Whether to roll back or recover only the code.
    type: bool
    default: false
  no_hooks:
    description: Whether to roll back without hooks and validation.
    type: bool
    default: false
  skip_unreachable:
    description: Whether to go on without hosts that cannot be reached.
    type: bool
    default: false
  reason:
    description: Reason to record in the history of the hosts.
    type: str
  wait:
    description: How long to wait for a lock, such as V(30s) or V(5m).
    type: str
extends_documentation_fragment:
  - switchback.deploy.fleet
attributes:
  check_mode:
    support: partial
    details:
      - Runs the command with C(--dry-run), which asks the hosts what the run itself asks, and fails as it would.
      - It runs no hook, no migration and no validation, so it cannot tell whether they would succeed. V(activate) needs
        the release on the hosts, so it fails if only a skipped V(stage) would have brought it.
  diff_mode:
    support: full
    details:
      - The release that is current, before and after. For V(stage) and V(recover), the plan.
'''

EXAMPLES = r'''
- name: Deploy to the fleet of a configuration, from the controller
  switchback.deploy.switchback:
    command: deploy
    source: dist/
    name: build-17
    from: build-16
    config: switchback.toml
  run_once: true
  delegate_to: localhost

- name: Stage a release on this host
  switchback.deploy.switchback:
    command: stage
    source: /var/tmp/build-17.tar.gz
    name: build-17
    root: /srv/shop

- name: Switch to it, unless somebody deployed meanwhile
  switchback.deploy.switchback:
    command: activate
    name: build-17
    from: build-16
    root: /srv/shop

- name: Roll back, if this host is on build-17
  switchback.deploy.switchback:
    command: rollback
    from: build-17
    root: /srv/shop
'''

RETURN = r'''
rc:
  description: The exit code. 3 means refused, 4 reverted, 5 that a person is needed, 6 locked, 7 nothing to roll back to.
  returned: always
  type: int
  sample: 0
command:
  description:
    - The command that ran, V(null) if the command line was wrong.
    - With O(or_return), it may be V(activate) or V(rollback).
  returned: if the program printed a report
  type: str
  sample: deploy
outcome:
  description: The outcome of the whole command.
  returned: if the program printed a report
  type: str
  sample: done
release:
  description: The release that was deployed, staged, activated or rolled back to.
  returned: if the program printed a report
  type: str
  sample: build-17
operation:
  description: The id of the operation in the history of the hosts.
  returned: if the program printed a report
  type: str
  sample: 4f3daded0ed79ed28b4545f72be6818f
hosts:
  description: An object for each host, with RV(ignore:host), RV(ignore:outcome), RV(ignore:before) and RV(ignore:after).
  returned: if the program printed a report
  type: list
  elements: dict
plan:
  description: The plan, in words.
  returned: if the program printed a report
  type: list
  elements: str
hints:
  description: What to type next.
  returned: if the program printed a report
  type: list
  elements: str
report:
  description: The whole report, as the guide of switchback describes it.
  returned: if the program printed a report
  type: dict
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.switchback.deploy.plugins.module_utils.switchback import COMMON_ARGUMENTS, Run, flags

# The options of each command, beside those of every command.
RUN_FLAGS = dict(wait='--wait', skip_unreachable='--skip-unreachable')
COMMANDS = dict(
    deploy=dict(
        {'name': '--name', 'from': '--from'}, or_return='--or-return', allow_split='--allow-split',
        accept_data='--accept-data', reason='--reason'),
    stage=dict(name='--name'),
    activate=dict({'from': '--from'}, allow_split='--allow-split', accept_data='--accept-data', reason='--reason'),
    rollback=dict(
        {'from': '--from'}, to='--to', steps='--steps', keep_data='--keep-data', no_hooks='--no-hooks',
        reason='--reason'),
    recover=dict(keep_data='--keep-data', reason='--reason'),
)
# What a command takes besides: as its argument, or as a flag that is the value.
ARGUMENTS = dict(deploy=['source'], stage=['source'], activate=['name'], rollback=[], recover=['direction'])
OPTIONS = sorted({option for flags_of in COMMANDS.values() for option in flags_of} | {'source', 'direction'})

# The line of a plan in which an interrupted deploy is undone, even if no `current` moves.
UNDOES = 'undoes the interrupted'


def words(module):
    """The command line of the command."""
    params = module.params
    command = params['command']
    taken = set(COMMANDS[command]) | set(ARGUMENTS[command])
    for option in OPTIONS:
        if params[option] not in (None, False) and option not in taken:
            module.fail_json(msg='{0} does not take the option {1}'.format(command, option))
    line = [command] + flags(params, COMMANDS[command]) + flags(params, RUN_FLAGS)
    if command == 'recover' and params['direction']:
        line.append('--' + params['direction'])
    if module.check_mode:
        line.append('--dry-run')
    for option in ARGUMENTS[command]:
        if option in ('source', 'name'):
            line += ['--', params[option]]
    return line


def would_change(module, run):
    """Whether the run that this dry run stands for changes anything."""
    command = module.params['command']
    release = run.report.get('release')
    asked = [host for host in run.hosts if host['outcome'] not in ('left', 'unreachable')]
    if command == 'recover' or any(UNDOES in line for line in run.plan()):
        return bool(run.plan())
    if command == 'stage':
        # `current` stays, so that only a list of the releases tells.
        listed = Run(module, ['releases'])
        names = dict((host['host'], [there['name'] for there in host.get('releases') or []]) for host in listed.hosts)
        return any(release not in names.get(host['host'], []) for host in asked)
    return release is not None and any(host['before'] != release for host in asked)


def has_changed(module, run):
    """Whether the report says that something changed."""
    if module.check_mode:
        return run.rc == 0 and would_change(module, run)
    if run.outcome == 'done' or run.report.get('undone'):
        return True
    return any(host['outcome'] in ('switched', 'reverted') for host in run.hosts)


def difference(module, run):
    """The releases that are current, before and after, a line for each host."""
    if module.params['command'] in ('stage', 'recover'):
        return dict(prepared='\n'.join(run.plan()) + '\n')
    before, after = [], []
    for host in run.hosts:
        if host.get('unread'):
            continue
        moves = module.check_mode and host['outcome'] not in ('left', 'unreachable')
        now = run.report.get('release') if moves else host['after']
        before.append('{0}: {1}\n'.format(host['host'], host['before'] or 'none'))
        after.append('{0}: {1}\n'.format(host['host'], now or 'none'))
    return dict(before_header='current', after_header='current', before=''.join(before), after=''.join(after))


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON_ARGUMENTS,
            command=dict(type='str', required=True, choices=['deploy', 'stage', 'activate', 'rollback', 'recover']),
            source=dict(type='path'),
            name=dict(type='str'),
            to=dict(type='str'),
            steps=dict(type='int'),
            direction=dict(type='str', choices=['forward', 'back']),
            or_return=dict(type='bool', default=False),
            allow_split=dict(type='bool', default=False),
            accept_data=dict(type='bool', default=False),
            keep_data=dict(type='bool', default=False),
            no_hooks=dict(type='bool', default=False),
            skip_unreachable=dict(type='bool', default=False),
            reason=dict(type='str'),
            wait=dict(type='str'),
            **{'from': dict(type='str')}
        ),
        required_if=[
            ('command', 'deploy', ['source']),
            ('command', 'stage', ['source']),
            ('command', 'activate', ['name']),
        ],
        mutually_exclusive=[('to', 'steps')],
        supports_check_mode=True,
    )
    run = Run(module, words(module))
    for warning in run.warnings():
        module.warn(warning)
    result = dict(run.returned(), changed=has_changed(module, run), plan=run.plan())
    if module._diff and result['changed']:
        result['diff'] = difference(module, run)
    if run.rc != 0:
        module.fail_json(msg=run.message(), **result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
