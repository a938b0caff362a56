throw new Error('at its top');
