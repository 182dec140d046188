#!/usr/bin/python
# Copyright: the switchback authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR Apache-2.0

from __future__ import annotations

DOCUMENTATION = r'''
module: switchback_info
short_description: Read the state, the releases or the history of hosts
author:
  - The switchback authors (!UNKNOWN)
description:
  - Runs a command of the program C(switchback) that only reads, where the task runs, and returns its report.
options:
  gather:
    description:
      - What to read. V(status) and V(releases) say which release is current, who holds the lock, and what an
        interrupted run left. V(history) has the operations, newest first.
    type: str
    choices: [status, releases, history]
    default: status
  limit:
    description: Number of operations of the history to read for each host; V(0) reads all.
    type: int
    default: 50
extends_documentation_fragment:
  - switchback.deploy.fleet
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
'''

EXAMPLES = r'''
- name: Read which release each host is on
  switchback.deploy.switchback_info:
    config: switchback.toml
  run_once: true
  delegate_to: localhost
  register: fleet

- name: Fail if a host needs attention
  ansible.builtin.assert:
    that: not fleet.differs

- name: Read the last ten operations of this host
  switchback.deploy.switchback_info:
    gather: history
    limit: 10
    root: /srv/shop
'''

RETURN = r'''
rc:
  description: The exit code. 3 means that a host could not be read.
  returned: always
  type: int
  sample: 0
command:
  description: The command that ran, V(null) if the command line was wrong.
  returned: if the program printed a report
  type: str
  sample: status
outcome:
  description: The outcome of the whole command.
  returned: if the program printed a report
  type: str
  sample: unchanged
release:
  description: Always V(null), since the command works on no release.
  returned: if the program printed a report
  type: str
operation:
  description: Always V(null), since nothing is changed.
  returned: if the program printed a report
  type: str
differs:
  description:
    - Whether the hosts are on different releases, or one needs attention. An interrupted run, an unreadable file, a
      damaged release and a missing root count.
  returned: if O(gather) is V(status)
  type: bool
  sample: false
hosts:
  description:
    - An object for each host, with RV(ignore:host), RV(ignore:current), RV(ignore:previous), RV(ignore:lock) and
      RV(ignore:releases), and with RV(ignore:history) if O(gather) is V(history).
  returned: if the program printed a report
  type: list
  elements: dict
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
from ansible_collections.switchback.deploy.plugins.module_utils.switchback import COMMON_ARGUMENTS, Run

# `status --check` ends with it, as `differs` says.
DIFFERS = 8


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON_ARGUMENTS,
            gather=dict(type='str', choices=['status', 'releases', 'history'], default='status'),
            limit=dict(type='int', default=50),
        ),
        supports_check_mode=True,
    )
    gather = module.params['gather']
    words = [gather]
    if gather == 'status':
        words.append('--check')
    if gather == 'history':
        words.append('--limit={0}'.format(module.params['limit']))
    run = Run(module, words)
    result = dict(run.returned(), changed=False)
    if gather == 'status':
        result['differs'] = run.rc == DIFFERS
    for warning in run.warnings():
        module.warn(warning)
    if run.rc not in (0, DIFFERS):
        module.fail_json(msg=run.message(), **result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
