// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

/// A token of any decimals that anybody may mint, and take from anybody, for tests.
contract Token {
    uint8 public decimals;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    constructor(uint8 places) {
        decimals = places;
    }

    function mint(address holder, uint256 amount) external {
        balanceOf[holder] += amount;
    }

    function take(address holder, uint256 amount) external {
        _move(holder, msg.sender, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Shares of a vault: deposits wait until a keeper makes shares of them, in any order; withdrawals wait in line until a
/// keeper pays them from what lies here, at the price of that moment. Shares in the line still count. What the subaccount
/// is worth is for the heir of this contract to say.
abstract contract Shares {
    struct TSAParams {
        uint256 depositCap;
        uint256 minDepositValue;
        uint256 depositScale;
        uint256 withdrawScale;
        uint256 managementFee;
        address feeRecipient;
    }

    struct Waiting {
        address holder;
        uint256 amount;
        bool done;
    }

    error BTSA_Blocked();
    error BTSA_DepositAlreadyProcessed();
    error BTSA_DepositBelowMinimum();
    error BTSA_DepositCapExceeded();
    error BTSA_InsufficientBalance();
    error BTSA_InvalidWithdrawalAmount();
    error BTSA_MustReceiveShares();
    error BTSA_OnlyShareKeeper();

    event DepositInitiated(uint256 indexed depositId, address indexed recipient, uint256 amount);
    event DepositProcessed(uint256 indexed depositId, address indexed recipient, bool success, uint256 shares);
    event WithdrawalRequested(uint256 indexed withdrawalId, address indexed beneficiary, uint256 amount);
    event WithdrawalProcessed(
        uint256 indexed withdrawalId, address indexed beneficiary, bool complete, uint256 shares, uint256 amount
    );
    event FeeCollected(address indexed recipient, uint256 amount, uint256 timestamp, uint256 totalSupply);

    uint256 private constant WAD = 1e18;

    mapping(address => uint256) public balanceOf;
    mapping(address => bool) public shareKeeper;
    uint256 public totalPendingDeposits;
    uint256 public totalPendingWithdrawals;
    uint256 public lastFeeCollected;
    TSAParams internal terms;
    Waiting[] private deposits;
    Waiting[] private line;
    uint256 private lineHead;
    uint256 private circulating;

    modifier onlyKeeper() {
        if (!shareKeeper[msg.sender]) revert BTSA_OnlyShareKeeper();
        if (_blocked()) revert BTSA_Blocked();
        _;
    }

    function initiateDeposit(uint256 amount, address recipient) external returns (uint256 id) {
        if (_blocked()) revert BTSA_Blocked();
        if (amount < terms.minDepositValue) revert BTSA_DepositBelowMinimum();
        _token().transferFrom(msg.sender, address(this), amount);
        totalPendingDeposits += amount;
        if (getAccountValue(true) > terms.depositCap) revert BTSA_DepositCapExceeded();
        id = deposits.length;
        deposits.push(Waiting(recipient, amount, false));
        emit DepositInitiated(id, recipient, amount);
    }

    function processDeposits(uint256[] memory ids) external onlyKeeper {
        collectFee();
        for (uint256 i = 0; i < ids.length; i++) {
            Waiting storage deposit = deposits[ids[i]];
            if (deposit.done) revert BTSA_DepositAlreadyProcessed();
            uint256 shares = (((deposit.amount * terms.depositScale) / WAD) * WAD) / _price();
            if (shares == 0) revert BTSA_MustReceiveShares();
            deposit.done = true;
            totalPendingDeposits -= deposit.amount;
            _mint(deposit.holder, shares);
            emit DepositProcessed(ids[i], deposit.holder, true, shares);
        }
    }

    function requestWithdrawal(uint256 shares) external returns (uint256 id) {
        if (_blocked()) revert BTSA_Blocked();
        if (balanceOf[msg.sender] < shares) revert BTSA_InsufficientBalance();
        if (shares == 0) revert BTSA_InvalidWithdrawalAmount();
        balanceOf[msg.sender] -= shares;
        circulating -= shares;
        totalPendingWithdrawals += shares;
        id = line.length;
        line.push(Waiting(msg.sender, shares, false));
        emit WithdrawalRequested(id, msg.sender, shares);
    }

    function processWithdrawalRequests(uint256 limit) external onlyKeeper {
        collectFee();
        for (; limit > 0 && lineHead < line.length; limit--) {
            uint256 here = _token().balanceOf(address(this)) - totalPendingDeposits;
            if (here == 0) return;
            Waiting storage request = line[lineHead];
            uint256 owed = getSharesValue((request.amount * terms.withdrawScale) / WAD);
            bool whole = here >= owed;
            uint256 left = whole ? 0 : (request.amount * (owed - here)) / owed;
            _pay(request, whole ? owed : here, request.amount - left, whole);
            if (!whole) return;
            lineHead++;
        }
    }

    function collectFee() public {
        uint256 elapsed = block.timestamp - lastFeeCollected;
        lastFeeCollected = block.timestamp;
        if (terms.feeRecipient == address(0) || totalSupply() == 0) return;
        uint256 supply = totalSupply();
        uint256 minted = (supply * ((elapsed * terms.managementFee) / 365 days)) / WAD;
        if (minted == 0) return;
        _mint(terms.feeRecipient, minted);
        emit FeeCollected(terms.feeRecipient, minted, block.timestamp, supply);
    }

    function getTSAParams() external view returns (TSAParams memory) {
        return terms;
    }

    function totalSupply() public view returns (uint256) {
        return circulating + totalPendingWithdrawals;
    }

    function getSharesValue(uint256 shares) public view returns (uint256) {
        return (shares * _price()) / WAD;
    }

    /// The subaccount and what lies here, deposits in waiting included or not.
    function getAccountValue(bool includePending) public view returns (uint256) {
        uint256 here = _token().balanceOf(address(this));
        return _subaccountValue() + (includePending ? here : here - totalPendingDeposits);
    }

    function _price() private view returns (uint256) {
        return totalSupply() == 0 ? WAD : (getAccountValue(false) * WAD) / totalSupply();
    }

    function _mint(address holder, uint256 shares) private {
        balanceOf[holder] += shares;
        circulating += shares;
    }

    function _pay(Waiting storage request, uint256 amount, uint256 shares, bool whole) private {
        totalPendingWithdrawals -= shares;
        request.amount -= shares;
        request.done = whole;
        emit WithdrawalProcessed(lineHead, request.holder, whole, shares, amount);
        _token().transfer(request.holder, amount);
    }

    function _token() internal view virtual returns (Token);

    function _blocked() internal view virtual returns (bool);

    function _subaccountValue() internal view virtual returns (uint256);
}
