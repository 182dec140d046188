# Copyright: the switchback authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Refuses a play that would run the command of a whole fleet more than once; only the controller sees the play."""

from __future__ import annotations

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        why = self._why_refused(task_vars or {})
        if why:
            return dict(failed=True, changed=False, msg=why)
        return self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)

    def _why_refused(self, task_vars):
        batch = set(task_vars.get('ansible_play_batch') or [])
        hosts = set(task_vars.get('ansible_play_hosts') or [])
        if self._task.run_once:
            # `free` and `host_pinned` run such a task once for each host. Others are a `linear` or the debugger, also
            # from other collections.
            strategy = self._task.get_play().strategy
            if not strategy.endswith(('linear', 'debug')):
                return (
                    'refused, nothing was touched: this play has `strategy: {0}`, which ignores `run_once` and would '
                    'deploy to the fleet once for each host. Set `strategy: linear`.'.format(strategy))
            # Both leave out hosts that failed or were lost before.
            if batch != hosts:
                return (
                    'refused, nothing was touched: this play has `serial`, so that it would deploy to the fleet once '
                    'for each batch. Remove `serial`, or run switchback on each host.')
        elif self._task.delegate_to and len(hosts) > 1:
            return (
                'refused, nothing was touched: this task would run on {0} once for each of {1} hosts. '
                'Set `run_once: true`.'.format(self._task.delegate_to, len(hosts)))
        return None
