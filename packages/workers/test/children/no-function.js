export default { convert() {} };
