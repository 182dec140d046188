# Copyright: the switchback authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR Apache-2.0

from __future__ import annotations


class ModuleDocFragment:
    """The options that say which program runs, and on which hosts."""

    DOCUMENTATION = r'''
options:
  executable:
    description: The program, by its path or by a name on the C(PATH).
    type: str
    default: switchback
  config:
    description: Configuration to read. Without it, C(switchback.toml) is looked for as the program does.
    type: path
  env:
    description: Environment of the configuration to apply.
    type: str
  root:
    description: Deploy root, instead of the configured one.
    type: str
  hosts:
    description:
      - Hosts to work on, by their names in the configuration.
      - If the configuration has no hosts, their addresses.
      - All configured hosts by default; without a configuration, the machine where the task runs.
    type: list
    elements: str
    default: []
  variables:
    description:
      - Environment variables of the program, such as those that C(pass_env) passes on. A value that is not a string is
        written as JSON, so that V(true) is C(true).
      - Ansible masks each value wherever it occurs in the result, so a short one such as V(1) spoils other values.
        Give only secrets here.
      - Ansible prints them before that where C(display_args_to_stdout) or C(ANSIBLE_DEBUG) is set, unless the task has
        C(no_log).
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
'''
