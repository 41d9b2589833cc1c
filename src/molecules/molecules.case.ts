/** Real molecules (MoleculeNet) that between them have what SMILES has: salts, charges, isotopes, stereo, metals, many rings. */
export const molecules = [
  'OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O',
  'CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O',
  'CN1CCC[C@H]1c1cccnc1',
  'Cn1c(=O)c2c(ncn2C)n(C)c1=O',
  'ClC4=C(Cl)C5(Cl)C3C1CC(C2OC12)C3C4(Cl)C5(Cl)Cl',
  '[Na+].[Na+].O=C([O-])c1ccccc1S(=O)(=O)[O-]',
  'c1cc[se]c1',
  '[2H]C([2H])([2H])OC',
  'F/C=C\\Br',
  'c1ccc2c(c1)cc1ccc3cccc4ccc2c1c34',
  'CP(=O)(OC)SCCN(C(C)C)C(C)C',
  'N[Pt]1(N)OC(=O)C2(CCC2)C(=O)O1',
  'CC(=O)O[AlH3](O)OC(C)=O',
  'CC1=[O+][V-]2(=O)([O+]=C(C)C1)[O+]=C(C)CC(C)=[O+]2',
  'C%10CCCCC%10Cl',
  'CCOC(=O)/C=C(/C)O',
] as const;
