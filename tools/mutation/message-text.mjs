/**
 * A plugin of Stryker: leaves the wording of messages alone. What an error says to its reader, and under which name an
 * option is checked, decides nothing; its code (`SW_…`) does, and stays. All other strings are mutated: states, policies
 * and events are strings too.
 */

/**
 * @typedef {{ type: string, name?: string, value?: unknown, callee?: Node, arguments?: Node[] }} Node a node of the tree
 * @typedef {{ node: Node, parentPath: Path | null }} Path and its way up
 */

/** @param {Path} path */
function shouldIgnore(path) {
  if (!isWording(path.node)) return undefined;
  for (let child = path, at = path.parentPath; at !== null; child = at, at = at.parentPath) {
    const { type, callee, arguments: given } = at.node;
    if (type === 'NewExpression' && callee?.name?.endsWith('Error')) return 'the wording of an error';
    if (type === 'CallExpression' && /^(describe|wrapError|sinkError)$/.test(callee?.name ?? ''))
      return 'the wording of an error';
    if (type === 'CallExpression' && /^check[A-Z]/.test(callee?.name ?? '') && given?.[0] === child.node)
      return 'the name of an option';
    if (type === 'CallExpression' && /^refuse[A-Z]/.test(callee?.name ?? ''))
      return 'the wording of a refusal';
    if (type.endsWith('Statement') || type.includes('Function') || type === 'ClassBody') return undefined;
  }
  return undefined;
}

/** @param {Node} node */
function isWording({ type, value }) {
  return type === 'TemplateLiteral' || (type === 'StringLiteral' && !String(value).startsWith('SW_'));
}

export const strykerPlugins = [{ kind: 'Ignore', name: 'message-text', value: { shouldIgnore } }];
