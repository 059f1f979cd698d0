import { describeLedger } from '../../contract/ledger-contract.ts';
import { FakeLedger } from '../../support/fakes/fake-ledger.ts';

const ledger = new FakeLedger();

describeLedger('the ledger in memory', () => ledger);
